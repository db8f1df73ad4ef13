package report

import (
	"fmt"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/workflows/contract"
)

// Lane has the turns of one agent.
type Lane struct {
	AgentID string
	Bars    []Bar
}

// Bar is one turn; Left and Width are percent of the whole time.
type Bar struct {
	Phase       domain.PhaseKind
	Left, Width float64
	Bad, Open   bool
	Label       string
}

// Tick is a mark of the time axis.
type Tick struct {
	Left  float64
	Label string
}

const ticks = 4

func lanes(source Source) ([]Lane, []Tick) {
	begin, end := span(source)
	whole := end.Sub(begin)
	if len(source.Turns) == 0 || whole <= 0 {
		return nil, nil
	}
	percent := func(t time.Time) float64 { return 100 * min(1, max(0, t.Sub(begin).Seconds()/whole.Seconds())) }
	var lanes []Lane
	at := map[string]int{}
	for _, turn := range source.Turns {
		place, known := at[turn.AgentID]
		if !known {
			place = len(lanes)
			at[turn.AgentID], lanes = place, append(lanes, Lane{AgentID: turn.AgentID})
		}
		until := turn.Ended
		if until.IsZero() {
			until = end
		}
		left := percent(turn.Begun)
		lanes[place].Bars = append(lanes[place].Bars, Bar{
			Phase: turn.Phase, Left: left, Width: max(0.4, percent(until)-left), Open: turn.Ended.IsZero(),
			Bad:   !turn.Ended.IsZero() && turn.Outcome != string(domain.OutcomeCompleted),
			Label: barLabel(turn, until.Sub(turn.Begun)),
		})
	}
	var marks []Tick
	for i := range ticks + 1 {
		part := float64(i) / ticks
		marks = append(marks, Tick{100 * part, terminal.Duration(time.Duration(part * float64(whole)))})
	}
	return lanes, marks
}

// span returns the begin of the first turn and the end of the last one.
func span(source Source) (begin, end time.Time) {
	open := source.Written
	if source.Status.Closed() {
		open = source.Result.CompletedAt
	}
	for i, turn := range source.Turns {
		if i == 0 || turn.Begun.Before(begin) {
			begin = turn.Begun
		}
		ended := turn.Ended
		if ended.IsZero() {
			ended = open
		}
		end = slices.MaxFunc([]time.Time{end, turn.Begun, ended}, time.Time.Compare)
	}
	return begin, end
}

// PhaseTokens is the cost of one kind of phase. Its shares are percent of the most expensive kind.
type PhaseTokens struct {
	Phase                       domain.PhaseKind
	Calls, Prompt, Completion   int
	PromptShare, CompletionPart float64
}

func spending(usage contract.TotalUsage) []PhaseTokens {
	phases := usage.Phases()
	most := 1
	for _, phase := range phases {
		most = max(most, phase.PromptTokens+phase.CompletionTokens)
	}
	var rows []PhaseTokens
	for _, kind := range domain.PhaseKinds() {
		if phase, paid := phases[kind]; paid {
			share := func(n int) float64 { return 100 * float64(n) / float64(most) }
			rows = append(rows, PhaseTokens{
				kind, phase.LLMCalls, phase.PromptTokens, phase.CompletionTokens, share(phase.PromptTokens), share(phase.CompletionTokens),
			})
		}
	}
	return rows
}

func barLabel(turn runs.PastTurn, took time.Duration) string {
	label := phaseWords(turn.Phase, turn.Round) + fmt.Sprintf(", attempt %d, %s", turn.Attempt, terminal.Duration(took))
	switch {
	case turn.Ended.IsZero():
		return label + ", not finished"
	case turn.Why != "":
		return label + ", " + turn.Why
	}
	return label + ", " + turn.Outcome
}

func phaseWords(phase domain.PhaseKind, round int) string {
	if round == 0 {
		return string(phase)
	}
	return fmt.Sprintf("%s, round %d", phase, round)
}
