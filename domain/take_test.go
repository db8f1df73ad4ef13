package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

func TestTakeDecidesWhatFollows(t *testing.T) {
	lost := domain.Outcome{Kind: domain.OutcomeLost, Reason: "runner x was restarted"}
	broke, refused := failed(domain.ModelTimeout, true, 0), failed(domain.ModelRejected, false, 0)
	unstarted, unreachable := domain.Outcome{Kind: domain.OutcomeCancelled}, domain.Outcome{Kind: domain.OutcomeUnreachable}
	for name, test := range map[string]struct {
		retries int
		taken   []domain.Outcome
		want    domain.DecisionKind
		failure domain.FailureKind
		message string
		delay   time.Duration // before the random part
	}{
		"a first failure is tried again":              {3, repeat(broke, 1), domain.DecisionAgain, "", "", time.Second},
		"the last allowed failure too":                {3, repeat(broke, 3), domain.DecisionAgain, "", "", 4 * time.Second},
		"one failure more ends it":                    {3, repeat(broke, 4), domain.DecisionGivenUp, domain.ModelTimeout, "it broke", 0},
		"no retries means none":                       {0, repeat(broke, 1), domain.DecisionGivenUp, domain.ModelTimeout, "it broke", 0},
		"what isn't retryable ends it":                {3, repeat(refused, 1), domain.DecisionGivenUp, domain.ModelRejected, "it broke", 0},
		"losses don't use up retries":                 {1, append(repeat(lost, 3), broke), domain.DecisionAgain, "", "", time.Second},
		"a lost turn is tried again":                  {0, repeat(lost, 1), domain.DecisionAgain, "", "", time.Second},
		"also the third time, and as soon":            {0, repeat(lost, 3), domain.DecisionAgain, "", "", time.Second},
		"but not the fourth":                          {20, repeat(lost, 4), domain.DecisionGivenUp, domain.LostRepeatedly, "its runner died 4 times: runner x was restarted", 0},
		"an unreachable turn counts as nothing":       {0, repeat(unreachable, 99), domain.DecisionUnreachable, "", "", time.Second},
		"unreachable turns don't add to the losses":   {0, append(repeat(unreachable, 5), lost), domain.DecisionAgain, "", "", time.Second},
		"a running turn goes on":                      {0, repeat(domain.Outcome{Kind: domain.OutcomeRunning}, 1), domain.DecisionWait, "", "", 0},
		"a turn that never started is tried again":    {0, repeat(unstarted, 1), domain.DecisionAgain, "", "", time.Second},
		"and again, later and later":                  {0, repeat(unstarted, 5), domain.DecisionAgain, "", "", 16 * time.Second},
		"a completed turn settles it":                 {0, []domain.Outcome{completed("p", 1, 0)}, domain.DecisionSettled, "", "", 0},
		"what comes after the answer changes nothing": {0, []domain.Outcome{completed("p", 1, 0), broke}, domain.DecisionSettled, "", "", 0},
		"nor what comes after it was given up":        {1, []domain.Outcome{refused, lost}, domain.DecisionGivenUp, domain.ModelRejected, "it broke", 0},
	} {
		t.Run(name, func(t *testing.T) {
			spec := specOf(1)
			spec.Constraints.MaxRetries = test.retries
			council, turns := asked(requestOf(t, spec), domain.RunKey{})
			turn, decision := turns[0], domain.Decision{}
			for _, outcome := range test.taken {
				if decision.Next.Attempt() > 0 {
					turn = decision.Next
				}
				council, decision = council.Take(turn, outcome)
			}
			require.Equal(t, test.want, decision.Kind)
			failure := council.Seats()[0].Failure()
			require.Equal(t, test.failure, failure.Kind())
			require.Equal(t, test.message, failure.Message())
			require.InDelta(t, test.delay.Seconds(), decision.After.Seconds(), test.delay.Seconds()/5)
			if test.delay > 0 {
				require.Equal(t, turn.Attempt()+1, decision.Next.Attempt())
			}
		})
	}
}

func repeat(outcome domain.Outcome, times int) []domain.Outcome {
	outcomes := make([]domain.Outcome, 0, times)
	for range times {
		outcomes = append(outcomes, outcome)
	}
	return outcomes
}

func TestTheNextAttemptIsToldWhatWasWrong(t *testing.T) {
	council, turns := councilOf(t, 1)
	council, decision := council.Take(turns[0], failed(domain.Truncated, true, 0))
	require.Equal(t, domain.Truncated, decision.Next.Hint().Kind)
	_, decision = council.Take(decision.Next, domain.Outcome{Kind: domain.OutcomeLost})
	require.Equal(t, domain.Truncated, decision.Next.Hint().Kind, "later attempts keep the hint")
}

func TestACouncilKeepsItsCountsWhateverComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents := rapid.IntRange(1, 4).Draw(t, "agents")
		council, turns := councilOf(t, agents)
		paid, proposals := 0, map[int]string{}
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			i := rapid.IntRange(0, agents-1).Draw(t, "agent")
			turn := turns[i].WithAttempt(rapid.IntRange(1, 3).Draw(t, "attempt"))
			tokens := rapid.IntRange(0, 9).Draw(t, "tokens")
			before := council.Seats()
			old := council
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				council = council.Submitted(turn, domain.Handle{TurnID: turn.ID(), Cluster: "c"})
			case 1:
				council = take(council, turn, completed(string(turn.ID()), rapid.Float64Range(0, 1).Draw(t, "score"), tokens))
				if _, has := proposals[i]; !has {
					proposals[i] = string(turn.ID())
				}
			case 2:
				council = take(council, turn, failed(domain.ModelTimeout, true, tokens))
			case 3:
				council = take(council, turn, domain.GivenUp(domain.NewTurnFailure(domain.ModelTimeout, "slow", true)))
			case 4:
				council = council.Close(late)
			}
			require.Equal(t, before, old.Seats(), "the old value stays as it was")
			usage, wasted := council.Paid()
			require.GreaterOrEqual(t, usage.Tokens(), paid, "costs only grow")
			paid = usage.Tokens()
			counted := 0
			for j, seat := range council.Seats() {
				if seat.State() == domain.AgentCompleted {
					counted += seat.Result().Usage().Tokens()
					require.Equal(t, proposals[j], seat.Result().Proposal())
				}
			}
			require.Equal(t, paid, wasted+counted, "what is paid is in a result or wasted")
			result := council.Rank()
			require.Len(t, proposals, result.Completed())
			require.LessOrEqual(t, result.Completed()+result.Failed(), result.Total())
			require.Equal(t, council.Settled(proposing), result.Completed()+result.Failed() == agents)
		}
	})
}

// Temporal ends a workflow whose history is too long, whatever made it so.
func TestACouncilWithTooManyLostAttemptsTriesNoMore(t *testing.T) {
	for name, taken := range map[string][]domain.Outcome{
		"lost with their runner":         repeat(domain.Outcome{Kind: domain.OutcomeLost, Reason: "runner x was restarted"}, 1),
		"stopped before they started":    repeat(domain.Outcome{Kind: domain.OutcomeCancelled}, 1),
		"lost now, failed another time":  {{Kind: domain.OutcomeLost}, failed(domain.ModelUnavailable, true, 1), failed(domain.ModelTimeout, true, 1)},
		"failed, and stopped in between": {failed(domain.ModelUnavailable, true, 1), {Kind: domain.OutcomeCancelled}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := specOf(64)
			spec.Constraints.MaxRetries, spec.Protocol.Review, spec.Protocol.Rounds = 20, domain.ReviewPeer, 3
			council, again := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: "w"}), 0
			for round := range 200 {
				council = council.Assign([]domain.Assignment{{Phase: domain.Phase{Kind: domain.Revise, Round: round}, Agent: council.Request().Agents()[0]}})
				turn := council.Turn(domain.Assignment{Phase: domain.Phase{Kind: domain.Revise, Round: round}, Agent: council.Request().Agents()[0]})
				for n := range 100 {
					var decision domain.Decision
					council, decision = council.Take(turn, taken[n%len(taken)])
					if decision.Kind != domain.DecisionAgain {
						break
					}
					turn, again = decision.Next, again+1
				}
			}
			require.LessOrEqual(t, again, 2500)
		})
	}
}
