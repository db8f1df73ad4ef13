package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// inMode is a request whose council comes to its answer in this mode, without reviews.
func inMode(request contract.Request, mode string) contract.Request {
	request.Protocol = &contract.Protocol{Mode: mode}
	return request
}

func TestVote_TheMajorityWins(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Vote("41", 0.9))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Vote("42", 0.3))
	s.Ray.Agents["agent-3"] = fakes.Replies(fakes.Vote("42.0", 0.2))

	result, err := s.runAndExpectNothingLeft(inMode(fakes.Council(3), domain.ModeVote))

	require.NoError(t, err)
	require.Equal(t, domain.RankedByVotes, result.RankingBasis)
	require.Equal(t, "agent-2", result.BestResult.AgentID)
	require.Equal(t, "42", result.BestResult.Answer)
	require.Equal(t, []contract.Vote{
		{Answer: "42", Votes: 2, Agents: []string{"agent-2", "agent-3"}, Score: 0.25}, {Answer: "41", Votes: 1, Agents: []string{"agent-1"}, Score: 0.9},
	}, result.Votes)
	require.NotContains(t, encode(t, result), `"synthesis"`)
	require.True(t, s.Ray.Awaited[0].Reading.Votes)
	require.Contains(t, encode(t, s.NATS.Stored), `"answer":"42"`)
}

func TestVote_ReviewersReadTheAnswersToo(t *testing.T) {
	s := newStage(t)
	for _, agent := range fakes.Council(3).Agents {
		s.Ray.Agents[agent.AgentID] = fakes.Replies(fakes.Vote("42", 0.5))
	}
	request := withReview(fakes.Council(3), 0)
	request.Protocol.Mode = domain.ModeVote

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.Equal(t, domain.RankedByVotes, result.RankingBasis)
	require.Len(t, result.Votes, 1)
	require.NotNil(t, result.BestResult.Judged, "reviews decide within the majority")
	require.Equal(t, "42", s.Ray.Submitted[1].Brief.Proposals[0].Answer)
}

func TestSynthesize_TheChairWritesBesideTheWinner(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Fence = "secret"
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("the best", 0.9))

	result, err := s.runAndExpectNothingLeft(inMode(fakes.Council(3), domain.ModeSynthesize))

	require.NoError(t, err)
	require.Equal(t, []domain.Phase{{Kind: domain.Propose}, {Kind: domain.Synthesize}}, phasesOf(s.Ray.Submitted))
	require.Equal(t, "the best", result.BestResult.Proposal)
	require.Equal(t, "the final answer", result.Synthesis.Text.Text)
	require.Contains(t, s.details(), "\nFinal answer of the chair: the final answer\n")
	require.Equal(t, "qwen", result.Synthesis.Text.Model)
	require.Nil(t, result.ChairFailure)
	require.Equal(t, domain.StopComplete, result.StopReason)
	require.Len(t, result.Results, 3)
	require.Equal(t, 1, result.Usage.ByPhase[domain.Synthesize].LLMCalls)
	require.Equal(t, 4, result.Usage.LLMCalls)
	brief := s.Ray.Submitted[1].Brief
	require.Equal(t, "the best", brief.Proposals[0].Proposal, "in the order of their rank")
	require.NotEmpty(t, brief.Fence)
	require.Contains(t, s.NATS.Kinds(), domain.EventPhaseStarted)
}

func TestSynthesize_IsNullWhenTheChairFailed(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Replies(fakes.Failure(domain.ModelRejected, false)) }

	result, err := s.runAndExpectNothingLeft(inMode(fakes.Council(2), domain.ModeSynthesize))

	require.NoError(t, err)
	require.Equal(t, "agent-1", result.BestResult.AgentID, "the winner stands")
	require.True(t, result.Synthesis.Wanted)
	require.Contains(t, encode(t, result), `"synthesis":null`)
	require.Equal(t, domain.ModelRejected, result.ChairFailure.ErrorType)
	require.Contains(t, s.details(), "\n- chair: ModelRejected: ")
	require.False(t, result.Degraded)
	require.Equal(t, domain.StopComplete, result.StopReason)
}

func slowChair(ref contract.TurnRef) fakes.Script {
	if ref.Phase == domain.Synthesize {
		return fakes.Script{fakes.Never()}
	}
	return fakes.LaterPhases(ref)
}

func TestSynthesize_StopNowStartsNoChairAndEndsOne(t *testing.T) {
	for name, test := range map[string]struct {
		slow   string
		phases int
	}{"before the chair": {"agent-3", 1}, "while the chair writes": {"", 2}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Ray.PhaseScript = slowChair
			if test.slow != "" {
				s.Ray.Agents[test.slow] = fakes.Script{fakes.Never()}
			}
			answer := s.stopNowAt(5*time.Second, "one")

			result, err := s.runAndExpectNothingLeft(inMode(fakes.Council(3), domain.ModeSynthesize))

			require.NoError(t, err)
			require.NoError(t, answer.refused)
			require.Len(t, s.Ray.Submitted, test.phases)
			require.Equal(t, domain.StopStopped, result.StopReason)
			require.Contains(t, encode(t, result), `"synthesis":null`)
			require.NotNil(t, result.BestResult)
		})
	}
}

func TestSynthesize_PatienceAndTheDeadlineEndTheChair(t *testing.T) {
	patience := 30
	for name, test := range map[string]struct {
		patience *int
		timeout  int
		reason   domain.StopReason
	}{"patience": {&patience, 300, domain.StopComplete}, "the deadline": {&patience, 20, domain.StopDeadline}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Ray.PhaseScript = slowChair
			request := timeout(inMode(fakes.Council(3), domain.ModeSynthesize), test.timeout)
			request.Protocol.Patience = test.patience

			result, err := s.runAndExpectNothingLeft(request)

			require.NoError(t, err)
			require.Equal(t, test.reason, result.StopReason)
			require.True(t, result.Synthesis.Wanted)
			require.Nil(t, result.Synthesis.Text)
			require.Equal(t, domain.StillRunning, result.ChairFailure.ErrorType)
			require.Len(t, result.Results, 3)
		})
	}
}

func TestSynthesize_ASlowProposalDoesNotTakeTheChairsTime(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-3"] = fakes.Script{fakes.Never()}

	result, err := s.runAndExpectNothingLeft(inMode(fakes.Council(3), domain.ModeSynthesize))

	require.NoError(t, err)
	require.Equal(t, "the final answer", result.Synthesis.Text.Text)
	require.Equal(t, 2, result.CompletedAgents)
}

func TestSynthesis_IsLeftOutNullOrAnObject(t *testing.T) {
	type holder struct {
		Synthesis contract.Synthesis `json:"synthesis,omitzero"`
	}
	for text, want := range map[string]contract.Synthesis{
		`{}`:                 {},
		`{"synthesis":null}`: {Wanted: true},
		`{"synthesis":{"model":"m","text":"t","reasoning":"","score":0,"attempts":1,"duration_ms":2,"usage":{"prompt_tokens":0,"completion_tokens":0},"metadata":null}}`: {
			Wanted: true, Text: &contract.SynthesisText{Model: "m", Text: "t", Attempts: 1, DurationMS: 2},
		},
	} {
		require.JSONEq(t, text, encode(t, holder{want}))
		var read holder
		require.NoError(t, json.Unmarshal([]byte(text), &read))
		require.Equal(t, want, read.Synthesis)
	}
}
