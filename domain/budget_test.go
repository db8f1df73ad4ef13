package domain_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

// budgeted is a reviewing council of agents without retries, for which a call has this budget.
func budgeted(agents int, budget domain.Budget) domain.RequestSpec {
	spec := reviewedSpec(agents, domain.ReviewPeer, 1)
	spec.Constraints.MaxRetries = 0
	spec.Protocol.Budget = budget
	return spec
}

func TestABudgetMustCoverOnePhaseOfProposals(t *testing.T) {
	_, err := domain.NewDeliberationRequest(budgeted(3, domain.Budget{Calls: 2}))
	hasFault(t, err, "protocol.max_llm_calls: must be at least 3 for the first phase (3 turns with up to 1 attempt each), got 2; "+
		"constraints.max_retries lowers that")
	requestOf(t, budgeted(3, domain.Budget{Calls: 3}))

	retried := budgeted(3, domain.Budget{Calls: 11})
	retried.Constraints.MaxRetries = 3
	_, err = domain.NewDeliberationRequest(retried)
	hasFault(t, err, "protocol.max_llm_calls: must be at least 12 for the first phase (3 turns with up to 4 attempts each), got 11; "+
		"constraints.max_retries lowers that")

	_, err = domain.NewDeliberationRequest(budgeted(3, domain.Budget{Tokens: 3 * 2048}))
	require.ErrorContains(t, err, "protocol.max_total_tokens: must be at least ")
	_, err = domain.NewDeliberationRequest(budgeted(3, domain.Budget{Calls: -1, Tokens: -1}))
	hasFault(t, err, "protocol.max_llm_calls: must be 1..1000000, got -1")
	hasFault(t, err, "protocol.max_total_tokens: must be 1..1000000000000, got -1")
}

// A workflow task has 10 s, also when the turns of 64 agents fail at the same time.
func TestAFailedAttemptRendersNoPromptAgain(t *testing.T) {
	allocations := func(budget domain.Budget) float64 {
		spec := reviewedSpec(64, domain.ReviewPeer, 1)
		spec.Protocol.Budget = budget
		council := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
		council = settledAll(council, council.Plan().Next, 1)
		reviews := council.Plan().Next
		council = council.Assign(reviews)
		return testing.AllocsPerRun(3, func() {
			_, decision := council.Take(council.Turn(reviews[0]), failed(domain.ModelUnavailable, true, 1))
			require.Equal(t, domain.DecisionAgain, decision.Kind)
		})
	}
	require.InDelta(t, allocations(domain.Budget{}), allocations(domain.Budget{Tokens: 1_000_000_000}), 20)
}

func TestABrokenRequestIsNotMeasuredAgainstItsBudget(t *testing.T) {
	spec := budgeted(3, domain.Budget{Calls: 1})
	spec.Agents = nil
	_, err := domain.NewDeliberationRequest(spec)
	require.NotContains(t, err.Error(), "max_llm_calls")
}

// settledAll completes the assignments with proposals, or with reviews that block everything.
func settledAll(council domain.Council, next []domain.Assignment, tokens int) domain.Council {
	council = council.Assign(next)
	for _, assignment := range next {
		outcome := completed("a proposal", 0.5, tokens)
		if assignment.Phase.Kind == domain.PeerReview {
			outcome.Review = blocking(assignment.Reads)
		}
		council = take(council, council.Turn(assignment), outcome)
	}
	return council
}

func blocking(reads []domain.TurnID) domain.Review {
	review := domain.Review{Ranking: reads}
	for _, of := range reads {
		marks := map[string]int{"accuracy": 3, "completeness": 3, "clarity": 3, "feasibility": 3}
		review.Notes = append(review.Notes, domain.Note{Of: of, Marks: marks, Critique: "no", Blocking: []string{"it loses data"}})
	}
	return review
}

func TestAPhaseIsReservedAsAWhole(t *testing.T) {
	for _, test := range []struct {
		calls, phases int
		stop          domain.StopReason
	}{{3, 1, domain.StopBudget}, {5, 1, domain.StopBudget}, {6, 2, domain.StopBudget}, {11, 3, domain.StopBudget}, {12, 4, domain.StopRounds}} {
		council := domain.NewCouncil(requestOf(t, budgeted(3, domain.Budget{Calls: test.calls})), domain.RunKey{WorkflowID: "w"})
		phases := 0
		plan := council.Plan()
		for ; len(plan.Next) > 0; plan = council.Plan() {
			phases++
			council = settledAll(council, plan.Next, 5)
		}
		require.Equal(t, test.phases, phases, test.calls)
		require.Equal(t, test.stop, plan.Stop, test.calls)
		require.Len(t, council.Rank().Results(), 3)
	}
}

func TestWhatAPhaseDidNotUseIsThereForTheNextOne(t *testing.T) {
	spec := budgeted(2, domain.Budget{Tokens: 1})
	spec.Protocol.MaxTokens = 4000
	_, err := domain.NewDeliberationRequest(spec)
	require.Error(t, err)

	spec.Protocol.Budget.Tokens = 12_000 // one phase of two long answers, as long as the first answers are short
	council := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
	proposals := council.Plan().Next
	require.Len(t, settledAll(council, proposals, 10).Plan().Next, 2)
	require.Equal(t, domain.StopBudget, settledAll(council, proposals, 4000).Plan().Stop)
}

func TestALostAttemptCountsWithWhatItMayHaveCost(t *testing.T) {
	spec := budgeted(2, domain.Budget{Calls: 5})
	spec.Constraints.MaxRetries = 1 // 4 calls are reserved
	council, turns := asked(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
	lost := domain.Outcome{Kind: domain.OutcomeLost, Reason: "its runner died"}
	council, decision := council.Take(turns[0], lost)
	require.Equal(t, domain.DecisionAgain, decision.Kind, "it takes the place of the retry")
	council, decision = council.Take(decision.Next, lost)
	require.Equal(t, domain.DecisionAgain, decision.Kind, "the budget has room for one more")
	council, decision = council.Take(decision.Next, lost)
	require.Equal(t, domain.DecisionGivenUp, decision.Kind)
	council = take(council, turns[1], completed("p", 0.5, 1))
	require.Equal(t, "the budget has no room for another attempt: its runner died", council.Rank().Failures()[0].Message())
}

func TestALongTaskNeedsMoreTokens(t *testing.T) {
	spec := budgeted(2, domain.Budget{Tokens: 6000})
	requestOf(t, spec)
	spec.TaskDescription = strings.Repeat("x", 60_000)
	_, err := domain.NewDeliberationRequest(spec)
	require.ErrorContains(t, err, "protocol.max_total_tokens: must be at least 4")
}

// Nothing that a council may do costs more than its budget, whatever its turns result in.
func TestABudgetIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents, retries := rapid.IntRange(2, 4).Draw(t, "agents"), rapid.IntRange(0, 3).Draw(t, "retries")
		spec := reviewedSpec(agents, domain.ReviewPeer, rapid.IntRange(0, 3).Draw(t, "rounds"))
		spec.Constraints.MaxRetries = retries
		budget := agents*(1+retries) + rapid.IntRange(0, 30).Draw(t, "more")
		spec.Protocol.Budget.Calls = budget
		council := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
		calls := 0
		for plan := council.Plan(); len(plan.Next) > 0; plan = council.Plan() {
			council = council.Assign(plan.Next)
			for _, assignment := range plan.Next {
				turn, decision := council.Turn(assignment), domain.Decision{}
				for decision.Kind == 0 || decision.Kind == domain.DecisionAgain {
					if decision.Kind == domain.DecisionAgain {
						turn = decision.Next
					}
					calls++
					outcome := completed("a proposal", 0.5, 1)
					outcome.Review = blocking(assignment.Reads)
					switch rapid.IntRange(0, 3).Draw(t, "outcome") {
					case 0:
						outcome = failed(domain.ModelUnavailable, true, 1)
					case 1:
						outcome = domain.Outcome{Kind: domain.OutcomeLost, Reason: "gone"}
					}
					council, decision = council.Take(turn, outcome)
				}
			}
		}
		require.LessOrEqual(t, calls, budget)
	})
}

func TestPricesGiveACost(t *testing.T) {
	prices, err := domain.ReadPrices([]string{" qwen = 0.5/2 ", "a=b=3"})
	require.NoError(t, err)
	require.Equal(t, domain.Prices{"qwen": {Prompt: 0.5, Completion: 2}, "a=b": {Prompt: 3, Completion: 3}}, prices)
	require.Equal(t, domain.Prices{"qwen": {Prompt: 0.5, Completion: 2}}, prices.Of([]string{"qwen", "other"}))

	council, turns := councilOf(t, 2)
	outcome := completed("p", 0.5, 1000)
	outcome.Usage.PromptTokens = 4000
	council = take(council, turns[0], outcome)
	council = council.Waste(turns[1], outcome.Usage)
	cost, known := council.Cost(prices)
	require.True(t, known)
	require.InDelta(t, 2*(0.002+0.002), cost, 1e-12)

	_, known = council.Cost(domain.Prices{"other": {}})
	require.False(t, known, "a part of the cost would mislead")
	_, known = council.Cost(nil)
	require.False(t, known)
}

func TestPricesThatCannotBeReadAreNamed(t *testing.T) {
	for _, text := range []string{"qwen", "=1", "qwen=", "qwen=1/", "qwen=x/1", "qwen=-1", "qwen=NaN", "qwen=1/2/3", "qwen=2000000"} {
		_, err := domain.ReadPrices([]string{text})
		require.ErrorContains(t, err, domain.Quote(text)+": must be model=prompt/completion", text)
	}
	_, err := domain.ReadPrices([]string{"a=1", "a=2"})
	require.ErrorContains(t, err, `"a": has two prices`)
}

func TestACallIsReservedWithAThirdOfItsBytesAndItsLongestAnswer(t *testing.T) {
	for _, retries := range []int{0, 2} {
		spec := budgeted(2, domain.Budget{})
		spec.Constraints.MaxRetries = retries
		council, _ := asked(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
		s, need := &session{council: council}, 0
		for _, agent := range council.Request().Agents() {
			bytes := len(promptOf(s, domain.Assignment{Phase: phase(domain.Propose, 0), Agent: agent}))
			if retries > 0 {
				bytes += 512 // for a hint
			}
			need += (1 + retries) * ((bytes+2)/3 + spec.Protocol.MaxTokens)
		}
		spec.Protocol.Budget.Tokens = need
		requestOf(t, spec)
		spec.Protocol.Budget.Tokens = need - 1
		_, err := domain.NewDeliberationRequest(spec)
		require.ErrorContains(t, err, "protocol.max_total_tokens: must be at least "+strconv.Itoa(need)+" for the first phase")
	}
}

func TestACallWithoutAUsageCostsItsPromptAllTheSame(t *testing.T) {
	spec := budgeted(2, domain.Budget{})
	spec.TaskDescription, spec.Protocol.MaxTokens = strings.Repeat("x", 30_000), 100 // 10,000 tokens a prompt
	for name, test := range map[string]struct {
		usage domain.Usage
		stop  domain.StopReason
	}{
		"a short prompt, as the server counts": {domain.Usage{PromptTokens: 1000, CompletionTokens: 10, Calls: 1}, ""},
		"the server doesn't say":               {domain.Usage{CompletionTokens: 10, Calls: 1}, domain.StopBudget},
	} {
		t.Run(name, func(t *testing.T) {
			spec.Protocol.Budget.Tokens = 30_000 // for three of these prompts
			council, turns := asked(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
			for _, turn := range turns {
				outcome := completed("a proposal", 0.5, 10)
				outcome.Usage = test.usage
				council = take(council, turn, outcome)
			}
			require.Equal(t, test.stop, council.Plan().Stop)
			paid, _ := council.Paid()
			require.Equal(t, 2*test.usage.PromptTokens, paid.PromptTokens, "the result says what is known")
		})
	}
}
