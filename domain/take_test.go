package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestACouncilWithTooManyFailuresTriesNoMore(t *testing.T) {
	spec := specOf(64)
	spec.Constraints.MaxRetries, spec.Protocol.Review, spec.Protocol.Rounds = 20, domain.ReviewPeer, 3
	retries := 0
	council := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
	for plan := council.Plan(); len(plan.Next) > 0; plan = council.Plan() {
		council = council.Assign(plan.Next)
		for _, assignment := range plan.Next {
			turn, again := council.Turn(assignment), true
			for again {
				outcome := failed(domain.ModelUnavailable, true, 1)
				if assignment.Phase.Kind != domain.PeerReview && turn.Attempt() == 20 {
					outcome = completed("p", 0.5, 1)
				}
				var decision domain.Decision
				council, decision = council.Take(turn, outcome)
				turn, again = decision.Next, decision.Kind == domain.DecisionAgain
				if again {
					retries++
				}
			}
		}
	}
	require.LessOrEqual(t, retries, 2500)
	require.Greater(t, retries, 2400)
}
