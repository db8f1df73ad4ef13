package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestDeliberation_StopsEveryLiveTurnWhenCancelled(t *testing.T) {
	waiting := func(s *stage) {
		s.Ray.Agents["agent-1"], s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}, fakes.Script{fakes.Never()}
	}
	tests := map[string]struct {
		given     func(*stage)
		at        time.Duration
		stopped   int // turns
		runnerOf  []string
		announced []domain.EventKind
	}{
		"before anything happened": {
			given: waiting, at: 0, stopped: 2, runnerOf: []string{"", ""},
			announced: []domain.EventKind{domain.EventStarted, domain.EventAgentFailed, domain.EventAgentFailed, domain.EventCancelled},
		},
		"in the queue, where a submit wasn't answered": {
			given: func(s *stage) {
				waiting(s)
				s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Delay: fakes.Forever}}
			},
			at: 5 * time.Second, stopped: 2, runnerOf: []string{"", ""},
			announced: []domain.EventKind{domain.EventStarted, domain.EventAgentFailed, domain.EventAgentFailed, domain.EventCancelled},
		},
		"while it waits for its agents": {
			given: waiting, at: 5 * time.Second, stopped: 2, runnerOf: []string{"runner/a/0", "runner/a/0"},
			announced: []domain.EventKind{
				domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart,
				domain.EventAgentFailed, domain.EventAgentFailed, domain.EventCancelled,
			},
		},
		"between two attempts of an agent": {
			given: func(s *stage) {
				waiting(s)
				s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true))
			},
			at: 6 * time.Second, stopped: 1, runnerOf: []string{"runner/a/0"},
			announced: []domain.EventKind{
				domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart,
				domain.EventAgentFailed, domain.EventAgentFailed, domain.EventCancelled,
			},
		},
		"while an agent is put to Ray again": {
			given: func(s *stage) {
				waiting(s)
				s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true))
				s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, {Delay: fakes.Forever}}
			},
			at: 5 * time.Second, stopped: 2, runnerOf: []string{"", "runner/a/0"},
			announced: []domain.EventKind{
				domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart,
				domain.EventAgentFailed, domain.EventAgentFailed, domain.EventCancelled,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			test.given(s)
			s.cancelAt(test.at)
			begin := s.env.Now()

			_, err := s.runAndExpectNothingLeft(fakes.Council(2))

			require.True(t, temporal.IsCanceledError(err), "%v", err)
			require.LessOrEqual(t, s.env.Now().Sub(begin), test.at+2*time.Second)
			require.Len(t, s.Ray.Stopped, 1)
			require.Len(t, s.Ray.Stopped[0].Turns, test.stopped)
			require.Equal(t, "cancelled", s.Ray.Stopped[0].Reason)
			for i, handle := range s.Ray.Stopped[0].Turns {
				require.Equal(t, test.runnerOf[i], handle.Runner)
				require.Equal(t, "local", handle.Cluster)
				require.NotEmpty(t, handle.TurnID)
			}
			require.Equal(t, test.announced, s.NATS.Kinds())
			require.Equal(t, domain.StatusCancelled, s.status().Status)
			require.Equal(t, "cancelled", *s.status().ErrorMessage)
			require.Equal(t, "STOPPED", ask[contract.Job](s, contract.QueryJob).Status)
		})
	}
}

func TestDeliberation_ACancellationThatComesTooLateChangesNothing(t *testing.T) {
	slowNATS := func(int) fakes.Reply[contract.PublishEventsResult] {
		return fakes.Reply[contract.PublishEventsResult]{Delay: time.Second}
	}
	tests := map[string]struct {
		given func(*stage)
		at    time.Duration
		met   bool
	}{
		"while the turns are stopped at the deadline, with a result": {
			given: func(s *stage) {
				s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}
				s.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{{Delay: 2 * time.Second}}
			},
			at: 31 * time.Second, met: true,
		},
		"while the turns are stopped at the deadline, without one": {
			given: func(s *stage) {
				s.Ray.Agents["agent-1"], s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}, fakes.Script{fakes.Never()}
				s.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{{Delay: 2 * time.Second}}
			},
			at: 31 * time.Second, met: false,
		},
		"while the last events are published": {
			given: func(s *stage) {
				s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("second", 0.5).After(10 * time.Second))
				s.NATS.ReplyTo = slowNATS
			},
			at: 10*time.Second + 500*time.Millisecond, met: true,
		},
		"in the same moment as the last answer": {
			given: func(s *stage) {
				s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("second", 0.5).After(10 * time.Second))
			},
			at: 10*time.Second + time.Millisecond, met: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			test.given(s)
			s.cancelAt(test.at)

			result, err := s.runAndExpectNothingLeft(timeout(fakes.Council(2), 30))

			require.False(t, temporal.IsCanceledError(err))
			require.NotContains(t, s.NATS.Kinds(), domain.EventCancelled)
			if test.met {
				require.NoError(t, err)
				require.Equal(t, domain.StatusCompleted, result.Status)
				return
			}
			kind, _, _ := failed(t, err)
			require.Equal(t, domain.DeadlineExceeded, kind)
		})
	}
}

func TestDeliberation_StopsWhatMayRunOnBothClustersWhenCancelled(t *testing.T) {
	s := twoClusters(t)
	s.Ray.Agents["agent-1"], s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Unreachable()), fakes.Script{fakes.Never()}
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, {Delay: fakes.Forever}}
	s.cancelAt(5 * time.Second)

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Len(t, s.Ray.Stopped, 1)
	require.Equal(t, map[string]int{"a": 2, "b": 1}, clustersOf(s.Ray.Stopped[0].Turns), "b may have accepted the attempt in an answer that was lost")
}

func TestDeliberation_ForgetsWhatIsInHistoryAtTheEnd(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelTimeout, true), fakes.Lost(), fakes.Answer("third", 0.5))

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	forgotten := map[domain.TurnID]int{}
	for _, handle := range s.Ray.Forgotten {
		require.NotEmpty(t, handle.Runner)
		require.NotEmpty(t, handle.Incarnation)
		forgotten[handle.TurnID]++
	}
	require.Equal(t, map[domain.TurnID]int{
		turnID(t, s, fakes.Council(2), "agent-1", 1): 1,
		turnID(t, s, fakes.Council(2), "agent-1", 3): 1,
		turnID(t, s, fakes.Council(2), "agent-2", 1): 1,
	}, forgotten, "a lost turn leaves nothing to forget")
}
