package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

// costOf is what one call for a turn costs: its prompt, and this many tokens for the answer.
func costOf(council domain.Council, turn domain.Turn, answer int) domain.Usage {
	texts := council.Texts([]domain.Assignment{turn.Assignment()})
	texts.Fence = turn.Phase().Fence(secret)
	common := council.Request().CommonTexts(turn.Phase().Kind, texts)
	bytes := 0
	for _, part := range council.Request().Ask(turn, texts).Prompt {
		bytes += len(common[part.Ref] + part.Text)
	}
	return domain.Usage{PromptTokens: (bytes + 2) / 3, CompletionTokens: answer, Calls: 1}
}

// Nothing that a council may do costs more tokens than its budget, whatever its turns result in. Servers may be silent
// about the cost of a call, and the cost of lost calls isn't known.
func TestABudgetOfTokensIsNeverExceeded(t *testing.T) {
	const longest = 60
	rapid.Check(t, func(t *rapid.T) {
		spec := reviewedSpec(rapid.IntRange(2, 4).Draw(t, "agents"), domain.ReviewPeer, rapid.IntRange(0, 2).Draw(t, "rounds"))
		spec.Constraints.MaxRetries, spec.Protocol.MaxTokens = rapid.IntRange(0, 2).Draw(t, "retries"), longest
		spec.Protocol.Mode = rapid.SampledFrom([]string{domain.ModeRank, domain.ModeSynthesize}).Draw(t, "mode")
		spec.Protocol.Budget.Tokens = rapid.IntRange(1000, 60_000).Draw(t, "budget")
		request, err := domain.NewDeliberationRequest(spec)
		if err != nil {
			t.Skip("the budget doesn't cover the first phase")
		}
		spent := 0
		council := domain.NewCouncil(request, domain.RunKey{WorkflowID: "w"})
		for plan := council.Plan(); len(plan.Next) > 0; plan = council.Plan() {
			council = council.Assign(plan.Next)
			for _, assignment := range plan.Next {
				next := domain.Decision{Kind: domain.DecisionAgain, Next: council.Turn(assignment)}
				for next.Kind == domain.DecisionAgain {
					cost := costOf(council, next.Next, rapid.IntRange(1, longest).Draw(t, "answer"))
					spent += cost.Tokens()
					council, next = council.Take(next.Next, outcomeOf(t, assignment, cost))
				}
			}
		}
		require.LessOrEqual(t, spent, spec.Protocol.Budget.Tokens)
	})
}

// outcomeOf is any outcome of a call that costs this much.
func outcomeOf(t *rapid.T, a domain.Assignment, cost domain.Usage) domain.Outcome {
	said := cost
	if rapid.Bool().Draw(t, "the server doesn't say") {
		said.PromptTokens = 0
	}
	switch rapid.IntRange(0, 4).Draw(t, "outcome") {
	case 0:
		return domain.Outcome{Kind: domain.OutcomeFailed, Failure: domain.NewTurnFailure(domain.InvalidOutput, strings.Repeat("x", 300), true), Usage: said}
	case 1:
		return domain.Outcome{Kind: domain.OutcomeLost, Reason: "gone"}
	}
	outcome := completed("a proposal", 0.5, 0)
	outcome.Usage, outcome.Review = said, blocking(a.Reads)
	return outcome
}

func TestNoCouncilMakesMoreCallsThanItsForecast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents := rapid.IntRange(1, 9).Draw(t, "agents")
		ways := []string{domain.ReviewNone, domain.ReviewJudge}
		if agents > 1 {
			ways = append(ways, domain.ReviewPeer)
		}
		spec := reviewedSpec(agents, rapid.SampledFrom(ways).Draw(t, "review"), rapid.IntRange(0, 3).Draw(t, "rounds"))
		spec.Protocol.Mode = rapid.SampledFrom([]string{domain.ModeRank, domain.ModeVote, domain.ModeSynthesize}).Draw(t, "mode")
		if spec.Protocol.Review != domain.ReviewNone && spec.Protocol.Mode != domain.ModeVote && rapid.Bool().Draw(t, "given") {
			spec.Given = judging(agents, rapid.IntRange(2, 9).Draw(t, "proposals")).Given
			spec.Given[0].Author = "agent-1"
		}
		request, err := domain.NewDeliberationRequest(spec)
		if err != nil {
			t.Skip(err.Error())
		}
		s := play(request, func(s *session, a domain.Assignment) domain.Outcome {
			outcome := skilled(func(string) int { return 3 })(s, a)
			outcome.Answer = outcome.Answer.WithShort("42")
			if a.Phase.Kind == domain.PeerReview {
				outcome.Review = blocking(a.Reads) // so that all rounds are needed
			}
			return outcome
		})
		require.LessOrEqual(t, s.turns, request.MostCalls())
		if len(spec.Given) == 0 && spec.Protocol.Review == domain.ReviewPeer {
			require.LessOrEqual(t, s.turns, 2*agents*(1+spec.Protocol.Rounds)+1, "2N + 2N a round, and a chair")
		}
	})
}
