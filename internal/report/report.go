package report

import (
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// Report is the story of one deliberation. It is also the JSON format.
type Report struct {
	DeliberationID string                    `json:"deliberation_id"`
	TaskID         string                    `json:"task_id"`
	Task           string                    `json:"task"`
	Role           string                    `json:"role"`
	Status         domain.DeliberationStatus `json:"status"`
	WrittenAt      time.Time                 `json:"written_at"`
	StartedAt      time.Time                 `json:"started_at"`
	EndedAt        time.Time                 `json:"ended_at,omitzero"`

	Headline    string                  `json:"headline"`
	Story       []string                `json:"story"`
	Decision    *Decision               `json:"decision"`
	Votes       []contract.Vote         `json:"votes,omitempty"`
	Synthesis   contract.Synthesis      `json:"synthesis,omitzero"`
	Leaderboard []Standing              `json:"leaderboard"`
	Rounds      []Round                 `json:"rounds"`
	Dissent     []Dissenter             `json:"dissent"`
	Proposals   []Proposal              `json:"proposals"`
	Failures    []contract.AgentFailure `json:"failures"`
	Turns       []runs.PastTurn         `json:"turns"`
	Usage       contract.TotalUsage     `json:"usage"`

	Lanes    []Lane        `json:"-"`
	Ticks    []Tick        `json:"-"`
	Spending []PhaseTokens `json:"-"`
}

// Decision is the winning proposal.
type Decision struct {
	AgentID   string `json:"agent_id"`
	Role      string `json:"role"`
	Model     string `json:"model"`
	Proposal  string `json:"proposal"`
	Reasoning string `json:"reasoning,omitempty"`
}

// Standing is one row of the leaderboard.
type Standing struct {
	Rank    int      `json:"rank"`
	AgentID string   `json:"agent_id"`
	Role    string   `json:"role"`
	Model   string   `json:"model"`
	Score   float64  `json:"score"`
	Own     *float64 `json:"own_score,omitempty"`
	Points  *float64 `json:"points,omitempty"`
	Reviews int      `json:"reviews"`
	Blocked bool     `json:"blocked,omitempty"`
	Places  []int    `json:"places"` // after each review round; 0 before the first review
}

// Of builds the report.
func Of(source Source) Report {
	result := source.Result
	h := historyOf(result)
	r := Report{
		DeliberationID: result.DeliberationID, TaskID: result.TaskID, Task: source.Task, Role: source.Role,
		Status: source.Status, WrittenAt: source.Written.UTC(), StartedAt: result.StartedAt.UTC(),
		Votes: result.Votes, Synthesis: result.Synthesis, Leaderboard: []Standing{}, Rounds: h.rounds(), Dissent: h.dissent(), Proposals: h.proposals(),
		Failures: slices.Concat([]contract.AgentFailure{}, result.Failures), Turns: source.Turns, Usage: result.Usage,
	}
	if source.Status.Closed() {
		r.EndedAt = result.CompletedAt.UTC()
	}
	if source.Status == domain.StatusCompleted && result.BestResult != nil {
		best := *result.BestResult
		r.Decision = &Decision{best.AgentID, best.Role, best.Model, best.Proposal, best.Reasoning}
	}
	for _, one := range result.Results {
		r.Leaderboard = append(r.Leaderboard, standingOf(one, source.Places[one.AgentID]))
	}
	r.Headline, r.Story = headline(source), story(source, r)
	r.Lanes, r.Ticks = lanes(source)
	r.Spending = spending(result.Usage)
	return r
}

func standingOf(one contract.AgentResult, places []int) Standing {
	standing := Standing{
		Rank: one.Rank, AgentID: one.AgentID, Role: one.Role, Model: one.Model, Score: one.Score, Own: one.OwnScore, Places: slices.Concat([]int{}, places),
	}
	if judged := one.Judged; judged != nil {
		standing.Reviews, standing.Blocked = judged.Reviews, judged.Blocked
		if judged.Reviews > 0 {
			standing.Points = &judged.Points
		}
	}
	return standing
}

func (r Report) Reviewed() bool { return len(r.Rounds) > 0 }

// Rankable reports whether the reviews rank the proposals.
func (r Report) Rankable() bool {
	return slices.ContainsFunc(r.Leaderboard, func(s Standing) bool { return s.Reviews > 0 })
}

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
