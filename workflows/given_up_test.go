package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestEvents_TellTheEndOfEachAgentThatIsGivenUp(t *testing.T) {
	denied := fakes.Reply[contract.SubmitTurnsResult]{Err: fakes.Fatal(domain.RayDenied)}
	failed := domain.EventAgentFailed
	tests := map[string]struct {
		given  func(*stage)
		review bool
		want   []domain.EventKind // the last events
	}{
		"because Ray refuses the proposals": {
			given: func(s *stage) { s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{denied} },
			want:  []domain.EventKind{domain.EventStarted, failed, failed, domain.EventFailed},
		},
		"because Ray refuses the proposals of a council that reviews": {
			given:  func(s *stage) { s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{denied} },
			review: true,
			want:   []domain.EventKind{domain.EventStarted, domain.EventPhaseStarted, failed, failed, domain.EventFailed},
		},
		"because Ray refuses the reviews": {
			given:  func(s *stage) { s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, denied} },
			review: true,
			want: []domain.EventKind{
				domain.EventAgentCompleted, domain.EventAgentCompleted,
				domain.EventPhaseStarted, domain.EventReviewed, domain.EventReviewed, domain.EventCompleted,
			},
		},
		"because there is no room for the reviews by the deadline": {
			given: func(s *stage) {
				s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{
					{}, {Value: contract.SubmitTurnsResult{Refusal: "503: runner_full"}, Delay: 10 * time.Second},
				}
			},
			review: true,
			want:   []domain.EventKind{domain.EventPhaseStarted, domain.EventReviewed, domain.EventReviewed, domain.EventCompleted},
		},
		"because there is no room in time": {
			given: func(s *stage) {
				s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Value: contract.SubmitTurnsResult{Refusal: "503: runner_full"}}}
			},
			want: []domain.EventKind{domain.EventStarted, failed, failed, domain.EventFailed},
		},
		"because it has no proposal at the deadline": {
			given: func(s *stage) { s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()} },
			want:  []domain.EventKind{domain.EventAgentCompleted, failed, domain.EventCompleted},
		},
		"because the stop at the deadline finds that it has failed": {
			given: func(s *stage) {
				broken := fakes.Failure(domain.ModelRejected, false).Value
				s.Ray.Agents["agent-2"] = fakes.Script{{Reply: fakes.Never().Reply, AtStop: &broken}}
			},
			want: []domain.EventKind{domain.EventAgentCompleted, failed, domain.EventCompleted},
		},
		"because it has no review at the deadline": {
			given: func(s *stage) {
				s.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Script{fakes.Never()} }
			},
			review: true,
			want:   []domain.EventKind{domain.EventPhaseStarted, domain.EventReviewed, domain.EventReviewed, domain.EventCompleted},
		},
		"because the deliberation is cancelled": {
			given: func(s *stage) {
				s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}
				s.cancelAt(5 * time.Second)
			},
			want: []domain.EventKind{domain.EventAgentCompleted, failed, domain.EventCancelled},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			test.given(s)
			request := timeout(fakes.Council(2), 10)
			if test.review {
				request = withReview(request, 1)
				request.Protocol.Patience = new(10)
			}

			_, _ = s.run(request) // whatever its end is

			kinds := s.NATS.Kinds()
			require.Equal(t, test.want, kinds[max(0, len(kinds)-len(test.want)):])
		})
	}
}
