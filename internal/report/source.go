package report

import (
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// Source is what was read of a run.
type Source struct {
	Task    string
	Role    string
	Result  contract.Result // as far as the run came
	Turns   []runs.PastTurn
	Status  domain.DeliberationStatus
	Ending  string // how a run without a result ended
	Phase   string // of a run that goes on
	Written time.Time
}

// SourceOf takes from a run's timeline what a report needs.
func SourceOf(id string, t *runs.Timeline, now time.Time) (Source, error) {
	phase, round := t.Phase()
	source := Source{
		Task: t.Request().TaskDescription(), Role: t.Request().Role(), Result: t.SoFar(id), Turns: t.Turns(),
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
