package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// stopAnswer is what a client gets that sends stop_now.
type stopAnswer struct {
	refused error
	err     error
	result  contract.Result
	done    bool
	at      time.Time
}

func (s *stage) stopNowAt(after time.Duration, id string) *stopAnswer {
	answer := &stopAnswer{}
	s.at(after, func() {
		s.env.UpdateWorkflow(contract.UpdateStopNow, id, &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { answer.refused = err },
			OnComplete: func(value any, err error) {
				answer.err, answer.done, answer.at = err, true, s.env.Now()
				answer.result, _ = value.(contract.Result)
			},
		})
	})
	return answer
}

func TestStopNow_RanksWhatIsThere(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-3"] = fakes.Script{fakes.Never()}
	early, first, second := s.stopNowAt(0, "early"), s.stopNowAt(5*time.Second, "one"), s.stopNowAt(5*time.Second, "two")

	result, err := s.runAndExpectNothingLeft(fakes.Council(3))

	require.NoError(t, err)
	require.ErrorContains(t, early.refused, "waits for room on Ray")
	require.Equal(t, domain.StopStopped, result.StopReason)
	require.Equal(t, 2, result.CompletedAgents)
	require.True(t, result.Degraded)
	for _, answer := range []*stopAnswer{first, second} {
		require.NoError(t, answer.refused)
		require.NoError(t, answer.err)
		require.True(t, answer.done)
		require.Equal(t, result.StopReason, answer.result.StopReason)
		require.Equal(t, result.BestResult, answer.result.BestResult)
	}
	require.Equal(t, "stopped", s.Ray.Stopped[0].Reason)
}

func TestStopNow_IsRefusedBelowTheQuorum(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("late", 0.5).After(10 * time.Second))
	answer := s.stopNowAt(5*time.Second, "one")

	result, err := s.runAndExpectNothingLeft(quorum(fakes.Council(2), 2))

	require.NoError(t, err)
	require.ErrorContains(t, answer.refused, "1 of 2 needed proposals are there")
	require.Equal(t, domain.StopComplete, result.StopReason)
}

func TestStopNow_StartsNoReviewAndKeepsWhatWasNotRevised(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		if ref.Phase == domain.Revise {
			return fakes.Script{fakes.Never()}
		}
		return disagreeing(ref)
	}
	answer := s.stopNowAt(20*time.Second, "one")

	result, err := s.runAndExpectNothingLeft(withReview(fakes.Council(3), 1))

	require.NoError(t, err)
	require.True(t, answer.done)
	require.Equal(t, domain.StopStopped, result.StopReason)
	require.Equal(t, domain.RankedByPeers, result.RankingBasis)
	require.Equal(t, domain.Phase{Kind: domain.Revise, Round: 1}, phasesOf(s.Ray.Submitted)[2])
	require.Len(t, s.Ray.Submitted, 3)
	for _, proposal := range result.Results {
		require.Equal(t, "a proposal", proposal.Proposal)
	}
}

// Temporal takes 4 MiB in one message, and a result may have half of that.
func TestStopNow_AnswersOneSenderInEachWorkflowTask(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-3"] = fakes.Script{fakes.Never()}
	var answers []*stopAnswer
	for _, id := range []string{"one", "two", "three", "four"} {
		answers = append(answers, s.stopNowAt(20*time.Second, id))
	}

	result, err := s.runAndExpectNothingLeft(fakes.Council(3))

	require.NoError(t, err)
	tasks := map[time.Time]int{}
	for _, answer := range answers {
		require.True(t, answer.done)
		require.Equal(t, result, answer.result)
		tasks[answer.at]++
	}
	require.Len(t, tasks, 4)
}

func TestStopNow_EndsTheWaitForRoom(t *testing.T) {
	s := newStage(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, {Delay: fakes.Forever}}
	begin := s.env.Now()
	answer := s.stopNowAt(20*time.Second, "one")

	result, err := s.runAndExpectNothingLeft(withReview(timeout(fakes.Council(3), 600), 1))

	require.NoError(t, err)
	require.True(t, answer.done)
	require.Equal(t, domain.StopStopped, result.StopReason)
	require.Equal(t, 3, result.CompletedAgents)
	require.Less(t, s.env.Now().Sub(begin), 25*time.Second)
	require.Len(t, s.Ray.Stopped[0].Turns, 3, "the unanswered submit may have started them")
}

func TestStopNow_IsSeenAfterSlowTurnsWereStopped(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-3"] = fakes.Script{fakes.Never()}
	s.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{{Delay: 4 * time.Second}}
	request := withReview(timeout(fakes.Council(3), 600), 1)
	patience := 10
	request.Protocol.Patience = &patience
	answer := s.stopNowAt(12*time.Second, "while the slow turn is stopped")

	result, err := s.run(request)

	require.NoError(t, err)
	require.True(t, answer.done)
	require.Equal(t, domain.StopStopped, result.StopReason)
	require.Len(t, s.Ray.Submitted, 1, "no review begins")
}

func TestStopNow_AnswersWithTheResultThoughACancelComesAfterIt(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-3"] = fakes.Script{fakes.Never()}
	s.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{{Delay: 4 * time.Second}}
	answer := s.stopNowAt(20*time.Second, "one")
	s.cancelAt(22 * time.Second)

	result, err := s.run(fakes.Council(3))

	require.NoError(t, err)
	require.Equal(t, domain.StopStopped, result.StopReason)
	require.True(t, answer.done)
	require.NoError(t, answer.err)
	require.Equal(t, result, answer.result)
}

func TestStopNow_IsAnsweredWhileARunIsBeingCancelled(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-3"] = fakes.Script{fakes.Never()}
	s.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{{Delay: 4 * time.Second}}
	s.cancelAt(20 * time.Second)
	answer := s.stopNowAt(22*time.Second, "one")

	_, err := s.run(fakes.Council(3))

	require.True(t, temporal.IsCanceledError(err))
	require.True(t, answer.done)
	require.True(t, temporal.IsCanceledError(answer.err))
}
