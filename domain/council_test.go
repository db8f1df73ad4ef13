package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestACouncilBeginsWaiting(t *testing.T) {
	council, _ := councilOf(t, 2)
	require.Len(t, council.Seats(), 2)
	for _, seat := range council.Seats() {
		require.Equal(t, domain.AgentWaiting, seat.State)
		require.Zero(t, seat.Attempt)
		require.False(t, seat.Done())
	}
	require.False(t, council.Decided())
	require.False(t, council.QuorumMet())
	require.Equal(t, 1, council.Needs())
}

func TestSubmitSaysWhereATurnIs(t *testing.T) {
	council, turns := councilOf(t, 2)

	onItsWay := council.Submit(turns[1], domain.Handle{})
	seat := onItsWay.Seats()[1]
	require.Equal(t, domain.AgentWaiting, seat.State)
	require.Equal(t, 1, seat.Attempt)
	require.Equal(t, turns[1].ID(), seat.TurnID)

	accepted := onItsWay.Submit(turns[1], domain.Handle{TurnID: turns[1].ID(), Cluster: "local"})
	require.Equal(t, domain.AgentSubmitted, accepted.Seats()[1].State)
	require.Equal(t, "local", accepted.Seats()[1].Cluster)
	require.Equal(t, domain.AgentWaiting, accepted.Seats()[0].State)

	again := accepted.Submit(turns[1].Attempt(2), domain.Handle{})
	require.Equal(t, domain.AgentWaiting, again.Seats()[1].State, "the next attempt waits for room anew")
	require.Empty(t, again.Seats()[1].Cluster)
	require.Equal(t, 2, again.Seats()[1].Attempt)
}

func TestSubmitLeavesAnAgentThatIsDone(t *testing.T) {
	council, turns := councilOf(t, 2)
	council = council.Complete(turns[0], completed("p", 1, 0)).Fail(turns[1], domain.NewTurnFailure(domain.ModelRejected, "", false))
	for _, turn := range turns {
		council = council.Submit(turn.Attempt(2), domain.Handle{TurnID: "x", Cluster: "c"})
	}
	require.Equal(t, domain.AgentCompleted, council.Seats()[0].State)
	require.Equal(t, domain.AgentFailed, council.Seats()[1].State)
}

func TestChangesLeaveTheOldCouncilAsItIs(t *testing.T) {
	council, turns := councilOf(t, 2)
	submitted := council.Submit(turns[0], domain.Handle{TurnID: turns[0].ID(), Cluster: "local"})
	before := submitted.Seats()

	submitted.Complete(turns[0], completed("p", 1, 5))
	submitted.Fail(turns[0], domain.NewTurnFailure(domain.ModelRejected, "no", false))
	submitted.FailRest(domain.NewTurnFailure(domain.StillRunning, "late", false))
	submitted.Submit(turns[0].Attempt(2), domain.Handle{})
	require.Equal(t, before, submitted.Seats())

	submitted.Seats()[0].State = domain.AgentFailed
	require.Equal(t, domain.AgentSubmitted, submitted.Seats()[0].State)
	usage, wasted := submitted.Paid()
	require.Zero(t, usage)
	require.Zero(t, wasted)
	require.Equal(t, domain.AgentWaiting, council.Seats()[0].State)
}

func TestACompletedAgentHasItsResult(t *testing.T) {
	council, turns := councilOf(t, 1)
	outcome := completed("do it", 0.5, 7)
	outcome.Metadata = map[string]string{"cluster": "local"}
	council = council.Complete(turns[0].Attempt(3), outcome)
	outcome.Metadata["cluster"] = "changed"

	require.True(t, council.Decided())
	require.True(t, council.QuorumMet())
	result := council.Seats()[0].Result()
	require.Equal(t, "do it", result.Proposal())
	require.Equal(t, 3, result.Attempts())
	require.Equal(t, 3, council.Seats()[0].Attempt)
	require.Equal(t, 7, result.Usage().Tokens())
	require.Equal(t, map[string]string{"cluster": "local"}, result.Metadata())
}

func TestEveryAttemptThatWasPaidCountsAndWhatGaveNothingIsWasted(t *testing.T) {
	council, turns := councilOf(t, 2)
	council = council.
		Complete(turns[0], failed(domain.ModelTimeout, true, 10)).
		Complete(turns[0].Attempt(2), completed("p", 1, 100)).
		Complete(turns[1], domain.Outcome{Kind: domain.OutcomeLost, Usage: domain.Usage{PromptTokens: 1, Calls: 1}})
	usage, wasted := council.Paid()
	require.Equal(t, domain.Usage{PromptTokens: 1, CompletionTokens: 110, Calls: 3}, usage)
	require.Equal(t, 11, wasted)
}

func TestTheSameAnswerIsPaidOnce(t *testing.T) {
	council, turns := councilOf(t, 1)
	council = council.Complete(turns[0], completed("p", 1, 100)).Complete(turns[0], completed("p", 1, 100))
	usage, wasted := council.Paid()
	require.Equal(t, 100, usage.Tokens())
	require.Zero(t, wasted)

	council = council.Complete(turns[0].Attempt(2), completed("second", 1, 50))
	usage, wasted = council.Paid()
	require.Equal(t, 150, usage.Tokens())
	require.Equal(t, 50, wasted, "of two proposals the first counts")
	require.Equal(t, "p", council.Seats()[0].Result().Proposal())
}

func TestAnAnswerThatBreaksARuleFailsItsAgentAndIsWasted(t *testing.T) {
	council, turns := councilOf(t, 1)
	council = council.Complete(turns[0], completed(" ", 2, 9))
	failure := council.Seats()[0].Failure()
	require.Equal(t, domain.InvalidOutput, failure.Kind())
	require.Equal(t, "proposal: cannot be empty; score: must be a number in 0..1, got 2", failure.Message())
	_, wasted := council.Paid()
	require.Equal(t, 9, wasted)
}

func TestFailGivesAnAgentUp(t *testing.T) {
	council, turns := councilOf(t, 2)
	council = council.Fail(turns[1].Attempt(4), domain.NewTurnFailure(domain.ModelUnavailable, "503", true))
	require.False(t, council.Decided())
	failure := council.Seats()[1].Failure()
	require.Equal(t, "agent-2", failure.AgentID())
	require.Equal(t, domain.ModelUnavailable, failure.Kind())
	require.Equal(t, "503", failure.Message())
	require.Equal(t, 4, failure.Attempts())
}

func TestAProposalIsNeverThrownAway(t *testing.T) {
	council, turns := councilOf(t, 1)
	late := domain.NewTurnFailure(domain.StillRunning, "late", false)

	won := council.Complete(turns[0], completed("p", 1, 0))
	require.Equal(t, domain.AgentCompleted, won.Fail(turns[0], late).Seats()[0].State)
	require.Equal(t, domain.AgentCompleted, won.FailRest(late).Seats()[0].State)

	givenUp := council.FailRest(late).Complete(turns[0], completed("p", 1, 0))
	require.Equal(t, domain.AgentCompleted, givenUp.Seats()[0].State, "the stop's answer brought it")
	require.Zero(t, givenUp.Seats()[0].Failure())
	require.Empty(t, givenUp.Rank().Failures())
}

func TestFailRestGivesUpWhoIsNotDone(t *testing.T) {
	council, turns := councilOf(t, 4)
	council = council.
		Complete(turns[0], completed("p", 1, 0)).
		Fail(turns[1], domain.NewTurnFailure(domain.ModelRejected, "no", false)).
		Submit(turns[2].Attempt(2), domain.Handle{TurnID: "x", Cluster: "c"}).
		FailRest(domain.NewTurnFailure(domain.StillRunning, "late", false))
	require.True(t, council.Decided())
	failures := council.Rank().Failures()
	require.Len(t, failures, 3)
	require.Equal(t, domain.ModelRejected, failures[0].Kind())
	require.Equal(t, domain.StillRunning, failures[1].Kind())
	require.Equal(t, 2, failures[1].Attempts())
	require.Zero(t, failures[2].Attempts(), "it was never submitted")
}

func TestATurnOfAnotherCouncilChangesNoSeat(t *testing.T) {
	council, _ := councilOf(t, 1)
	_, others := councilOf(t, 2)
	stranger := others[1]
	for _, changed := range []domain.Council{
		council.Submit(stranger, theHandle), council.Complete(stranger, completed("p", 1, 0)), council.Fail(stranger, domain.TurnFailure{}),
	} {
		require.Equal(t, council.Seats(), changed.Seats())
	}
}

func TestNextDecidesWhetherToTryAgain(t *testing.T) {
	lost := domain.Outcome{Kind: domain.OutcomeLost, Reason: "runner x was restarted"}
	for name, test := range map[string]struct {
		outcome          domain.Outcome
		retries          int
		failures, losses int
		kind             domain.FailureKind
		message          string
	}{
		"a first failure is tried again":          {failed(domain.ModelTimeout, true, 0), 3, 1, 0, "", ""},
		"the last allowed failure too":            {failed(domain.ModelTimeout, true, 0), 3, 3, 0, "", ""},
		"one failure more ends it":                {failed(domain.ModelTimeout, true, 0), 3, 4, 0, domain.ModelTimeout, "it broke"},
		"no retries means none":                   {failed(domain.ModelTimeout, true, 0), 0, 1, 0, domain.ModelTimeout, "it broke"},
		"what isn't retryable ends it at once":    {failed(domain.ModelRejected, false, 0), 3, 1, 0, domain.ModelRejected, "it broke"},
		"losses don't use up retries":             {failed(domain.ModelTimeout, true, 0), 1, 1, 3, "", ""},
		"a lost turn is tried again":              {lost, 0, 0, 1, "", ""},
		"also the third time":                     {lost, 0, 9, 3, "", ""},
		"but not the fourth":                      {lost, 20, 0, 4, domain.LostRepeatedly, "its runner died 4 times: runner x was restarted"},
		"an unreachable turn is asked for again":  {domain.Outcome{Kind: domain.OutcomeUnreachable}, 0, 99, 99, "", ""},
		"a running turn goes on":                  {domain.Outcome{Kind: domain.OutcomeRunning}, 0, 99, 99, "", ""},
		"a cancelled turn isn't this method's":    {domain.Outcome{Kind: domain.OutcomeCancelled}, 0, 99, 99, "", ""},
		"a completed turn has nothing to give up": {completed("p", 1, 0), 0, 99, 99, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec := specOf(1)
			spec.Constraints.MaxRetries = test.retries
			failure, giveUp := domain.NewCouncil(requestOf(t, spec)).Next(test.outcome, test.failures, test.losses)
			require.Equal(t, test.kind != "", giveUp)
			require.Equal(t, test.kind, failure.Kind())
			require.Equal(t, test.message, failure.Message())
		})
	}
}

func TestTheQuorumIsCountedInProposals(t *testing.T) {
	for quorum, needs := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3} {
		spec := specOf(3)
		spec.Protocol.Quorum = quorum
		request := requestOf(t, spec)
		council := domain.NewCouncil(request)
		require.Equal(t, needs, council.Needs())
		for done, turn := range request.Turns(domain.RunKey{}) {
			require.Equal(t, done >= needs, council.QuorumMet())
			council = council.Complete(turn, completed("p", 1, 0))
		}
		require.True(t, council.QuorumMet())
	}
}

func TestACouncilKeepsItsCountsWhateverComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents := rapid.IntRange(1, 4).Draw(t, "agents")
		council, turns := councilOf(t, agents)
		paid, proposals := 0, map[int]string{}
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			i := rapid.IntRange(0, agents-1).Draw(t, "agent")
			turn := turns[i].Attempt(rapid.IntRange(1, 3).Draw(t, "attempt"))
			tokens := rapid.IntRange(0, 9).Draw(t, "tokens")
			before := council.Seats()
			old := council
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				council = council.Submit(turn, domain.Handle{TurnID: turn.ID(), Cluster: "c"})
			case 1:
				council = council.Complete(turn, completed(string(turn.ID()), rapid.Float64Range(0, 1).Draw(t, "score"), tokens))
				if _, has := proposals[i]; !has {
					proposals[i] = string(turn.ID())
				}
			case 2:
				council = council.Complete(turn, failed(domain.ModelTimeout, true, tokens))
			case 3:
				council = council.Fail(turn, domain.NewTurnFailure(domain.ModelTimeout, "slow", true))
			case 4:
				council = council.FailRest(domain.NewTurnFailure(domain.StillRunning, "late", false))
			}
			require.Equal(t, before, old.Seats(), "the old value is as it was")
			usage, wasted := council.Paid()
			require.GreaterOrEqual(t, usage.Tokens(), paid, "costs only grow")
			paid = usage.Tokens()
			counted := 0
			for j, seat := range council.Seats() {
				if seat.State == domain.AgentCompleted {
					counted += seat.Result().Usage().Tokens()
					require.Equal(t, proposals[j], seat.Result().Proposal())
				}
			}
			require.Equal(t, paid, wasted+counted, "what is paid is in a result or wasted")
			result := council.Rank()
			require.Len(t, proposals, result.Completed())
			require.LessOrEqual(t, result.Completed()+result.Failed(), result.Total())
			require.Equal(t, council.Decided(), result.Completed()+result.Failed() == agents)
		}
	})
}
