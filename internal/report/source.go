package report

import (
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// Source is what a report shows of a run.
type Source struct {
	Task    string
	Role    string
	Result  contract.Result  // of an open run, the result so far
	Places  map[string][]int // by author, after each review round
	Turns   []runs.PastTurn
	Status  domain.DeliberationStatus
	Ending  string // how a run without a result ended
	Phase   string // of an open run
	Written time.Time
}

// SourceOf returns what a report needs of a run's timeline.
func SourceOf(id string, t *runs.Timeline, now time.Time) (Source, error) {
	phase, round := t.Phase()
	source := Source{
		Task: t.Request().TaskDescription(), Role: t.Request().Role(), Result: t.SoFar(id), Places: t.Places(), Turns: t.Turns(),
		Status: domain.StatusRunning, Phase: phaseWords(domain.PhaseKind(phase), round), Written: now,
	}
	if !t.Ended() {
		return source, nil
	}
	end, err := t.Ending(id)
	if err != nil {
		return Source{}, err
	}
	source.Status = end.Status
	if end.Status == domain.StatusCompleted {
		source.Result = end.Result
		return source, nil
	}
	source.Ending = end.Words()
	if len(end.Details.Failures) > 0 {
		source.Result.Failures, source.Result.Usage = end.Details.Failures, end.Details.Usage
	}
	return source, nil
}
