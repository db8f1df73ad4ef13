package domain_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func firstTurn(t require.TestingT, spec domain.RequestSpec, run domain.RunKey) domain.Turn {
	_, turns := asked(requestOf(t, spec), run)
	return turns[0]
}

// Another value here would give the turns of running deliberations new ids, so that they would be paid for twice.
func TestTurnIDsNeverChange(t *testing.T) {
	turn := firstTurn(t, specOf(2), domain.RunKey{WorkflowID: "deliberation-T-42", OriginalRunID: "run"})
	require.Equal(t, domain.TurnID("td3imbjqamqdm6kqgr4uvyyilcq"), turn.ID())
	require.Equal(t, domain.TurnID("tjpsuf7zcimmh3vqg7f4jxuudwz"), turn.WithAttempt(2).ID())
}

func TestTurnsAreTheCouncilInRequestOrder(t *testing.T) {
	_, turns := councilOf(t, 3)
	require.Len(t, turns, 3)
	for i, turn := range turns {
		require.Equal(t, []string{"agent-1", "agent-2", "agent-3"}[i], turn.Agent().ID())
		require.Equal(t, proposing, turn.Phase())
		require.Equal(t, 1, turn.Attempt())
		require.Regexp(t, `^t[a-z2-7]{26}$`, string(turn.ID()))
	}
}

func TestAnAttemptIsANewTurnAndLeavesTheOldOneAsItIs(t *testing.T) {
	_, turns := councilOf(t, 1)
	first := turns[0]
	id, second := first.ID(), first.WithAttempt(2)
	require.Equal(t, 2, second.Attempt())
	require.NotEqual(t, id, second.ID())
	require.Equal(t, id, first.ID())
	require.Equal(t, first, second.WithAttempt(1))
}

func TestEveryInputIsInTheTurnID(t *testing.T) {
	run := domain.RunKey{WorkflowID: "w", OriginalRunID: "r"}
	seen := map[domain.TurnID]string{firstTurn(t, specOf(1), run).ID(): "unchanged"}
	changes := map[string]func(*domain.RequestSpec){
		"task id":     func(s *domain.RequestSpec) { s.TaskID += "x" },
		"description": func(s *domain.RequestSpec) { s.TaskDescription += "x" },
		"role":        func(s *domain.RequestSpec) { s.Role += "x" },
		"story":       func(s *domain.RequestSpec) { s.Constraints.StoryID += "x" },
		"plan":        func(s *domain.RequestSpec) { s.Constraints.PlanID += "x" },
		"agent":       func(s *domain.RequestSpec) { s.Agents[0].AgentID += "x" },
		"agent role":  func(s *domain.RequestSpec) { s.Agents[0].Role += "x" },
		"model":       func(s *domain.RequestSpec) { s.Agents[0].Model += "x" },
		"template":    func(s *domain.RequestSpec) { s.Agents[0].PromptTemplate += "x" },
		"url":         func(s *domain.RequestSpec) { s.VLLMURL += "/x" },
		"temperature": func(s *domain.RequestSpec) { s.Protocol.Temperature += 0.01 },
		"max tokens":  func(s *domain.RequestSpec) { s.Protocol.MaxTokens++ },
		"extra name":  func(s *domain.RequestSpec) { s.Protocol.ExtraBody = map[string]string{"a": "1"} },
		"extra value": func(s *domain.RequestSpec) { s.Protocol.ExtraBody = map[string]string{"a": "2"} },
		"extra more":  func(s *domain.RequestSpec) { s.Protocol.ExtraBody = map[string]string{"a": "1", "b": "2"} },
	}
	add := func(name string, id domain.TurnID) {
		require.Empty(t, seen[id], "%s makes no other turn", name)
		seen[id] = name
	}
	for name, change := range changes {
		spec := specOf(1)
		change(&spec)
		add(name, firstTurn(t, spec, run).ID())
	}
	add("workflow", firstTurn(t, specOf(1), domain.RunKey{WorkflowID: "w2", OriginalRunID: "r"}).ID())
	add("run", firstTurn(t, specOf(1), domain.RunKey{WorkflowID: "w", OriginalRunID: "r2"}).ID())
	add("shifted", firstTurn(t, specOf(1), domain.RunKey{WorkflowID: "wr", OriginalRunID: ""}).ID())
	for attempt := 2; attempt < 25; attempt++ {
		add("attempt", firstTurn(t, specOf(1), run).WithAttempt(attempt).ID())
	}
}

// The bounds of a deliberation don't change what the model is asked, and so not the id.
func TestWhatTheModelNeverSeesIsNotInTheTurnID(t *testing.T) {
	run := domain.RunKey{WorkflowID: "w", OriginalRunID: "r"}
	spec := specOf(2)
	spec.Constraints.TimeoutSeconds, spec.Constraints.MaxRetries, spec.Constraints.QueueTimeoutSeconds = 1, 1, 1
	spec.Constraints.Metadata, spec.Protocol.Quorum, spec.VLLMModel = nil, 1, "other"
	require.Equal(t, firstTurn(t, specOf(1), run).ID(), firstTurn(t, spec, run).ID())
}

func TestTurnsAreTheSameExactlyWhenTheirInputsAre(t *testing.T) {
	part := rapid.StringMatching(`[ab]{1,3}`)
	inputs := rapid.Custom(func(t *rapid.T) [11]string {
		var drawn [11]string
		for i := range drawn {
			drawn[i] = part.Draw(t, "part")
		}
		return drawn
	})
	turn := func(t require.TestingT, in [11]string) domain.TurnID {
		spec := specOf(1)
		spec.TaskID, spec.TaskDescription, spec.Role = in[0], in[1], in[2]
		spec.Constraints.StoryID, spec.Constraints.PlanID, spec.VLLMURL = in[3], in[4], "http://"+in[5]
		spec.Agents[0] = domain.AgentSpec{AgentID: in[6], Role: in[7], Model: in[8], PromptTemplate: in[9]}
		return firstTurn(t, spec, domain.RunKey{WorkflowID: in[10], OriginalRunID: in[0]}).ID()
	}
	rapid.Check(t, func(t *rapid.T) {
		one := inputs.Draw(t, "one")
		require.Equal(t, turn(t, one), turn(t, one))
		other := one
		i := rapid.IntRange(0, 10).Draw(t, "changed")
		other[i] += part.Draw(t, "more")
		require.NotEqual(t, turn(t, one), turn(t, other))

		// Moving a character from one input to the next must give another id.
		j := rapid.IntRange(0, 9).Draw(t, "border")
		if both := one[j] + one[j+1]; len(one[j+1]) > 1 {
			shifted := one
			shifted[j], shifted[j+1] = both[:len(one[j])+1], both[len(one[j])+1:]
			require.NotEqual(t, turn(t, one), turn(t, shifted))
		}
	})
}

func TestRetryDelaysDoubleUpToAMinute(t *testing.T) {
	_, turns := councilOf(t, 64)
	distinct := map[time.Duration]bool{}
	for _, turn := range turns {
		for failures, want := range map[int]time.Duration{
			math.MinInt: time.Second, -1: time.Second, 0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second,
			6: 32 * time.Second, 7: time.Minute, 8: time.Minute, 63: time.Minute, 64: time.Minute, 1000: time.Minute, math.MaxInt: time.Minute,
		} {
			delay := turn.RetryDelay(failures)
			require.GreaterOrEqual(t, delay, want*8/10, failures)
			require.LessOrEqual(t, delay, want*12/10, failures)
			require.Equal(t, delay, turn.RetryDelay(failures), "a replay gets the same delay")
		}
		distinct[turn.RetryDelay(1)] = true
	}
	require.Greater(t, len(distinct), 32, "the retries of a council are spread over time")
}

func TestRetryDelayIsStable(t *testing.T) {
	turn := firstTurn(t, specOf(2), domain.RunKey{WorkflowID: "deliberation-T-42", OriginalRunID: "run"})
	require.Equal(t, "1.146s", turn.RetryDelay(1).String())
}

func TestRetryDelayIsAlwaysBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := specOf(1)
		spec.TaskID = "x" + strings.ToValidUTF8(rapid.StringN(0, 20, 100).Draw(t, "task"), "")
		turn := firstTurn(t, spec, domain.RunKey{})
		delay := turn.RetryDelay(rapid.Int().Draw(t, "failures"))
		require.GreaterOrEqual(t, delay, 800*time.Millisecond)
		require.LessOrEqual(t, delay, 72*time.Second)
	})
}
