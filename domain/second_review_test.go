package domain_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// blockedBy plays a council whose reviewers block everything, so that all revise. Reviewers for which fails returns
// true have no second review.
func blockedBy(t *testing.T, id string, agents int, fails func(reviewer string) bool, see func(*session, domain.Assignment)) *session {
	t.Helper()
	quality := skilled(func(string) int { return 2 })
	return playAs(id, reviewed(t, agents, 1), func(s *session, a domain.Assignment) domain.Outcome {
		see(s, a)
		if a.Phase == phase(domain.PeerReview, 2) && fails(a.Agent.ID()) {
			return failed(domain.ModelRejected, false, 1)
		}
		outcome := quality(s, a)
		for i := range outcome.Review.Notes {
			outcome.Review.Notes[i].Blocking = []string{"it loses data"}
		}
		return outcome
	})
}

func TestTheSecondReviewShowsBothVersionsWithoutSayingWhichIsNew(t *testing.T) {
	newFirst, oldFirst := 0, 0
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		blockedBy(t, id, 3, func(string) bool { return false }, func(s *session, a domain.Assignment) {
			if a.Phase != phase(domain.PeerReview, 2) {
				return
			}
			require.Len(t, a.Reads, 4)
			prompt := promptOf(s, a)
			require.NotContains(t, prompt, "agent-", "reviewers don't know the authors")
			require.NotContains(t, prompt, "revis", "nor what is a revision")
			for pair := range slices.Chunk(a.Reads, 2) {
				require.Equal(t, s.authors[pair[0]], s.authors[pair[1]])
				if s.texts[pair[0]] > s.texts[pair[1]] {
					newFirst++
				} else {
					oldFirst++
				}
			}
		})
	}
	require.Greater(t, newFirst, 9, "of 36")
	require.Greater(t, oldFirst, 9, "of 36")
}

func TestWithoutASecondReviewTheOldTextStays(t *testing.T) {
	nothing := func(*session, domain.Assignment) {}
	for name, test := range map[string]struct {
		fails func(string) bool
		fates []domain.RevisionFate // of agent-1 and agent-2
		texts map[string]string
	}{
		"no review at all": {
			func(string) bool { return true },
			[]domain.RevisionFate{domain.RevisionUnreviewed, domain.RevisionUnreviewed},
			map[string]string{"agent-1": "2", "agent-2": "2"},
		},
		"nobody compared the two versions of one author": {
			func(reviewer string) bool { return reviewer == "agent-2" },
			[]domain.RevisionFate{domain.RevisionUnreviewed, domain.RevisionReplaced},
			map[string]string{"agent-1": "2", "agent-2": "3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := blockedBy(t, "w", 2, test.fails, nothing)
			for i, revision := range s.council.Revisions() {
				require.Equal(t, test.fates[i], revision.Fate, revision.AgentID)
				require.Equal(t, "2", revision.Before.Proposal)
				require.Equal(t, "3", revision.After.Proposal)
			}
			for _, result := range s.council.Rank().Results() {
				require.Equal(t, test.texts[result.Agent().ID()], result.Proposal())
			}
		})
	}
}

func TestTheOrderThatAReviewerSawIsRecordedAndDiffersWithTheDeliberation(t *testing.T) {
	orders := map[string]bool{}
	for _, id := range []string{"a", "b", "c", "d"} {
		reads := map[string][]domain.TurnID{}
		s := blockedBy(t, id, 4, func(string) bool { return false }, func(_ *session, a domain.Assignment) {
			if a.Phase == phase(domain.PeerReview, 1) {
				reads[a.Agent.ID()] = a.Reads
			}
		})
		order := ""
		for _, review := range s.council.Reviews() {
			if review.Round != 1 {
				continue
			}
			for i, candidate := range review.Order {
				require.Equal(t, s.authors[reads[review.Reviewer.ID()][i]], candidate.AgentID)
				order += candidate.ID + " "
			}
		}
		orders[order] = true
	}
	require.Greater(t, len(orders), 1)
}

func TestAFailedReviewerInventsNothingAndTheQuorumIsOfProposals(t *testing.T) {
	spec := reviewedSpec(3, domain.ReviewPeer, 1)
	spec.Protocol.Quorum = 3
	s := play(requestOf(t, spec), func(s *session, a domain.Assignment) domain.Outcome {
		if a.Phase.Kind == domain.PeerReview && a.Agent.ID() != "agent-1" {
			return failed(domain.ModelRejected, false, 1)
		}
		return skilled(func(string) int { return 3 })(s, a)
	})
	require.True(t, s.council.QuorumMet())
	require.Len(t, s.council.Reviews(), 3)
	for _, review := range s.council.Reviews() {
		failed := review.Reviewer.ID() != "agent-1"
		require.Equal(t, failed, review.Failure.Kind() == domain.ModelRejected)
		require.Equal(t, failed, len(review.Notes) == 0 && len(review.Ranking) == 0)
	}
	for _, result := range s.council.Rank().Results() {
		judgement, _ := result.Judgement()
		require.Equal(t, result.Agent().ID() != "agent-1", judgement.Reviews == 1)
	}
	require.False(t, s.council.Rank().Degraded(), "one review is a usable one")
}

func TestReviewsThatNeverCameLeaveADegradedResult(t *testing.T) {
	council, turns := asked(reviewed(t, 2, 1), domain.RunKey{WorkflowID: "w"})
	for _, turn := range turns {
		council = take(council, turn, completed("p", 0.5, 1))
	}
	require.False(t, council.Rank().Degraded(), "no review was asked for yet")
	council = council.Assign(council.Plan().Next).Close(late)
	require.Equal(t, domain.RankedBySelf, council.Rank().Basis())
	require.True(t, council.Rank().Degraded())
}

func TestAReviewThatWasCutOffIsAskedForOnceMoreToo(t *testing.T) {
	council, turns := asked(reviewed(t, 2, 1), domain.RunKey{WorkflowID: "w"})
	for _, turn := range turns {
		council = take(council, turn, completed("p", 0.5, 1))
	}
	reviews := council.Plan().Next
	council = council.Assign(reviews)
	council, decision := council.Take(council.Turn(reviews[0]), failed(domain.Truncated, true, 1))
	require.Equal(t, domain.DecisionAgain, decision.Kind)
	require.Equal(t, domain.Truncated, decision.Next.Hint().Kind)
	_, decision = council.Take(decision.Next, failed(domain.InvalidOutput, true, 1))
	require.Equal(t, domain.DecisionGivenUp, decision.Kind)
}
