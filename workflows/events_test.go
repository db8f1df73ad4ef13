package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

var (
	errNATS = errors.New("nats: no servers available")
	stored  = fakes.Reply[contract.PublishEventsResult]{}
)

// away lets the first tries fail.
func away(calls int) func(int) fakes.Reply[contract.PublishEventsResult] {
	return func(call int) fakes.Reply[contract.PublishEventsResult] {
		if call <= calls {
			return fakes.Reply[contract.PublishEventsResult]{Err: errNATS}
		}
		return stored
	}
}

func TestEvents_AreNumberedAndStoredOnceInOrder(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("first", 0.5).After(2 * time.Second))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ModelRejected, false).After(time.Second))
	s.NATS.ReplyTo = func(call int) fakes.Reply[contract.PublishEventsResult] {
		return fakes.Reply[contract.PublishEventsResult]{Err: map[bool]error{true: errNATS}[call == 2]}
	}

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, []domain.EventKind{
		domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart,
		domain.EventAgentFailed, domain.EventAgentCompleted, domain.EventCompleted,
	}, s.NATS.Kinds())
	for i, event := range s.NATS.Stored {
		require.Equal(t, fmt.Sprintf("%s/%s/%d-%s", deliberationID, runID, i+1, event.Kind), event.ID)
		require.Equal(t, deliberationID, event.DeliberationID)
		require.Equal(t, time.UTC, event.At.Location())
	}
	require.Equal(t, "agent-2", s.NATS.Stored[2].AgentID)
	require.Empty(t, s.NATS.Stored[3].AgentID, "only a stream has an agent in its subject")
}

func TestEvents_CarryTheDescriptionOnce(t *testing.T) {
	s := newStage(t)

	_, err := s.runAndExpectNothingLeft(fakes.Council(3))

	require.NoError(t, err)
	description := fakes.Council(3).TaskDescription
	given := 0
	for _, in := range s.Ray.Submitted {
		given += strings.Count(encode(t, in), description)
	}
	for _, in := range s.NATS.Inputs {
		given += strings.Count(encode(t, in), description)
	}
	require.Equal(t, 1, given, "the prompt of all agents, and the events")
}

func TestEvents_ACompletedEventTooLargeForNATSIsAScoreboard(t *testing.T) {
	s := newStage(t)
	for i := range 16 {
		s.Ray.Agents[fmt.Sprintf("agent-%d", i+1)] = fakes.Replies(fakes.Answer(strings.Repeat("x", 40<<10), 0.5))
	}

	result, err := s.runAndExpectNothingLeft(fakes.Council(16))

	require.NoError(t, err)
	require.Len(t, result.Results, 16)
	last := s.NATS.Stored[len(s.NATS.Stored)-1]
	require.Equal(t, domain.EventCompleted, last.Kind)
	require.Less(t, len(last.Data), 512<<10)
	var board contract.ScoreboardEvent
	require.NoError(t, json.Unmarshal(last.Data, &board))
	require.Equal(t, contract.ResultRef{WorkflowID: deliberationID, RunID: runID}, board.ResultRef)
	require.Len(t, board.Scores, 16)
	require.Equal(t, contract.EventScore{Rank: 1, AgentID: "agent-1", Score: 0.5}, board.Scores[0])
	for _, in := range s.NATS.Inputs {
		require.Less(t, len(encode(t, in)), payload)
	}
}

func TestEvents_DoNotDelayTheResult(t *testing.T) {
	tests := map[string]struct {
		nats   func(call int) fakes.Reply[contract.PublishEventsResult]
		ends   time.Duration
		outbox bool
	}{
		"a publisher that answers late is waited for up to two seconds": {
			nats: func(int) fakes.Reply[contract.PublishEventsResult] { return stored.After(500 * time.Millisecond) },
			ends: 1500 * time.Millisecond,
		},
		"a NATS that comes back within two seconds needs no outbox": {
			nats: func(call int) fakes.Reply[contract.PublishEventsResult] {
				return fakes.Reply[contract.PublishEventsResult]{Err: map[bool]error{true: errNATS}[call == 1]}
			},
			ends: 2 * time.Second,
		},
		"a NATS that stays away leaves the events to the outbox": {
			nats: away(6),
			ends: 2 * time.Second, outbox: true,
		},
		"a NATS that never answers leaves the events to the outbox": {
			nats: func(call int) fakes.Reply[contract.PublishEventsResult] {
				if call <= 2 { // the submit's and the publisher's
					return stored.After(fakes.Forever)
				}
				return stored
			},
			ends: 2 * time.Second, outbox: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.NATS.ReplyTo = test.nats
			var left []contract.EventRecord
			begun := s.env.Now()
			var handedOver time.Time // when the outbox was started
			s.onOutbox(func(in contract.OutboxInput) { left, handedOver = in.Events, s.env.Now() })

			result, err := s.runAndExpectNothingLeft(fakes.Council(1))

			require.NoError(t, err)
			require.Equal(t, domain.StatusCompleted, result.Status)
			if handedOver.IsZero() {
				handedOver = s.env.Now()
			}
			require.LessOrEqual(t, handedOver.Sub(begun), test.ends+10*time.Millisecond)
			require.Less(t, result.ExecutionTimeMS, int64(10), "the events aren't part of the work")
			require.Equal(t, test.outbox, len(left) > 0)
			kinds := s.NATS.Kinds()
			if test.outbox {
				require.Equal(t, []domain.EventKind{
					domain.EventStarted, domain.EventAgentCompleted, domain.EventCompleted,
				}, fakes.KindsOf(left))
				require.Equal(t, fakes.KindsOf(left), kinds[len(kinds)-3:])
				return
			}
			require.Equal(t, []domain.EventKind{
				domain.EventStarted, domain.EventStreamStart, domain.EventAgentCompleted, domain.EventCompleted,
			}, kinds)
		})
	}
}

func TestEvents_ThatNobodyWantsHoldUpNothing(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Events = false
	s.onOutbox(func(contract.OutboxInput) { require.Fail(t, "an outbox") })
	begun := s.env.Now()

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Less(t, s.env.Now().Sub(begun), 10*time.Millisecond)
	require.NotContains(t, s.scheduled, workflows.PublishEvents.Name())
}

func TestEvents_TravelWithTheSubmitOfAPhase(t *testing.T) {
	for name, test := range map[string]struct {
		proposal string
		carried  []domain.EventKind
	}{
		"those of the last outcome and of the new phase": {"short", []domain.EventKind{domain.EventAgentCompleted, domain.EventPhaseStarted}},
		"none if they are too large for its input":       {strings.Repeat("x", 100_000), []domain.EventKind{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer(test.proposal, 0.5).After(time.Minute))

			_, err := s.runAndExpectNothingLeft(withReview(fakes.Council(2), 0))

			require.NoError(t, err)
			require.Equal(t, []domain.EventKind{
				domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart, domain.EventPhaseStarted,
			}, fakes.KindsOf(s.Ray.Submitted[0].Events))
			require.Equal(t, test.carried, fakes.KindsOf(s.Ray.Submitted[1].Events))
			published := 0
			for _, in := range s.NATS.Inputs {
				published += len(in.Events)
			}
			require.Equal(t, len(s.NATS.Stored), published, "each event is published once")
			require.Equal(t, []domain.EventKind{
				domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart, domain.EventPhaseStarted,
				domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventPhaseStarted,
				domain.EventReviewed, domain.EventReviewed, domain.EventCompleted,
			}, s.NATS.Kinds())
		})
	}
}

func TestEvents_OfAPhaseHaveTheTimeOfItsAcceptance(t *testing.T) {
	s := newStage(t)
	s.NATS.ReplyTo = away(1) // the submit can't publish them
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Delay: time.Minute}}
	begun := s.env.Now()

	_, err := s.runAndExpectNothingLeft(withReview(fakes.Council(2), 0))

	require.NoError(t, err)
	for _, event := range s.NATS.Stored {
		waited := event.At.Sub(begun) >= time.Minute
		require.Equal(t, event.Kind != domain.EventStarted, waited, "%s at %s", event.Kind, event.At)
	}
}

func TestEvents_DoNotWaitForAPhaseThatWaitsForRoom(t *testing.T) {
	full := fakes.Reply[contract.SubmitTurnsResult]{Value: contract.SubmitTurnsResult{Refusal: "503: runner_full"}}
	for name, first := range map[string]fakes.Reply[contract.SubmitTurnsResult]{
		"Ray is full":               full.After(2 * time.Second),
		"no worker takes the turns": {Err: temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil), Delay: 62 * time.Second},
		"the council moves":         {Value: contract.SubmitTurnsResult{Refusal: "503: runner_full", Elsewhere: true}, Delay: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.environment.Current.Clusters = []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true, Room: true}}
			s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, first, {Delay: 5 * time.Minute}}
			var kinds []domain.EventKind
			s.at(70*time.Second, func() { kinds = s.NATS.Kinds() })

			result, err := s.runAndExpectNothingLeft(withReview(timeout(fakes.Council(2), 1000), 0))

			require.NoError(t, err)
			require.Len(t, result.Reviews, 2)
			require.Equal(t, []domain.EventKind{
				domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart, domain.EventPhaseStarted,
				domain.EventAgentCompleted, domain.EventAgentCompleted,
			}, kinds)
			require.Len(t, s.Ray.Submitted, 3)
			require.Nil(t, s.Ray.Submitted[2].Brief, "the texts travel once")
			require.Equal(t, !first.Value.Elsewhere, s.Ray.Submitted[2].Repeated, "other turns than before go elsewhere")
			require.Equal(t, 1000*time.Second, s.Ray.Submitted[2].GiveUpAt.Sub(s.Ray.Submitted[1].GiveUpAt).Round(5*time.Second), "it waits until the deadline")
		})
	}
}
