package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// promptsByPhase plays a council of different roles on a long task, and returns the turns' prompts and what the
// reviews read.
func promptsByPhase(t *testing.T, agents int) (prompts map[domain.Phase][]string, reads [][]domain.TurnID) {
	t.Helper()
	spec := specOf(agents)
	spec.Protocol.Review = domain.ReviewPeer
	spec.TaskDescription = strings.Repeat("Every login attempt is counted by account and by address. ", 150)
	for i := range spec.Agents {
		spec.Agents[i].Role = []string{"DEV", "QA", "ARCHITECT"}[i%3]
	}
	spec.Agents[0].PromptTemplate = "You are careful, and your name is {agent_id}."
	prompts = map[domain.Phase][]string{}
	answer := skilled(func(agent string) int { return len(agent) })
	playAs("w", requestOf(t, spec), func(s *session, a domain.Assignment) domain.Outcome {
		prompts[a.Phase] = append(prompts[a.Phase], promptOf(s, a))
		require.Equal(t, spec.VLLMURL, s.council.Request().Ask(s.council.Turn(a), domain.Texts{}).URL, "all turns go to one endpoint")
		outcome := answer(s, a)
		for i := range outcome.Review.Notes {
			outcome.Review.Notes[i].Blocking = []string{"it loses data"} // so that there are revisions
		}
		if a.Phase == phase(domain.PeerReview, 1) {
			reads = append(reads, a.Reads)
		}
		return outcome
	})
	return prompts, reads
}

// shared is the prefix that all prompts have in common.
func shared(prompts []string) string {
	prefix := prompts[0]
	for _, prompt := range prompts[1:] {
		for !strings.HasPrefix(prompt, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

func TestThePromptsOfAPhaseShareTheirPrefix(t *testing.T) {
	for _, agents := range []int{2, 3, 6, 9} {
		prompts, _ := promptsByPhase(t, agents)
		require.Len(t, prompts, 4)
		proposals := prompts[phase(domain.Propose, 0)]
		for _, prompt := range proposals {
			require.GreaterOrEqual(t, len(shared(proposals)), len(prompt)*9/10, "nine tenths of the prompt of a long task")
		}
		for _, round := range []int{1, 2} {
			reviews := prompts[phase(domain.PeerReview, round)]
			upTo, _, _ := strings.Cut(reviews[0], "\n\n## Proposal A\n")
			require.True(t, strings.HasPrefix(shared(reviews), upTo), "everything up to the first proposal")
			require.Contains(t, upTo, "## How to review")
		}
		revisions := prompts[phase(domain.Revise, 1)]
		upTo, _, _ := strings.Cut(revisions[0], "\n\n## Who you are\n")
		require.True(t, strings.HasPrefix(shared(revisions), upTo), "everything up to the author's persona")
	}
}

func TestReviewersReadProposalsInAtMostThreeOrders(t *testing.T) {
	for agents := 3; agents <= 6; agents++ {
		_, reads := promptsByPhase(t, agents)
		var orders [][]domain.TurnID
		first := map[domain.TurnID]bool{}
		for _, order := range reads {
			first[order[0]] = true
			if !slices.ContainsFunc(orders, func(known []domain.TurnID) bool { return sameOrder(known, order) }) {
				orders = append(orders, order)
			}
		}
		require.LessOrEqual(t, len(orders), 3, fmt.Sprint(reads))
		require.Greater(t, len(first), 1, "no proposal is first for all")
	}
}

// sameOrder reports whether what both read stands in the same order.
func sameOrder(a, b []domain.TurnID) bool {
	in := func(other []domain.TurnID) func(domain.TurnID) bool {
		return func(id domain.TurnID) bool { return !slices.Contains(other, id) }
	}
	return slices.Equal(slices.DeleteFunc(slices.Clone(a), in(b)), slices.DeleteFunc(slices.Clone(b), in(a)))
}

func TestAProposalTravelsOnceForAllItsReviewers(t *testing.T) {
	council, turns := asked(reviewed(t, 6, 1), domain.RunKey{WorkflowID: "w"})
	for i, turn := range turns {
		council = take(council, turn, completed(fmt.Sprint("proposal ", i), 0.5, 1))
	}
	plan := council.Plan()
	texts := council.Texts(plan.Next)
	require.Len(t, texts.Proposals, 6)
	for _, a := range plan.Next {
		prompt := council.Request().Ask(council.Turn(a), texts).Prompt
		require.Equal(t, domain.PromptPart{Ref: domain.CommonTask}, prompt[0])
		for i, id := range a.Reads {
			require.Equal(t, domain.PromptPart{Ref: string(id)}, prompt[2+2*i])
		}
	}
}
