package domain_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

var (
	proposing = domain.Phase{Kind: domain.Propose}
	late      = domain.NewTurnFailure(domain.StillRunning, "late", false)
)

func TestACouncilFirstAsksEveryAgentForItsProposal(t *testing.T) {
	council := domain.NewCouncil(requestOf(t, specOf(2)), domain.RunKey{})
	require.Len(t, council.Seats(), 2)
	for _, seat := range council.Seats() {
		require.Equal(t, domain.AgentWaiting, seat.State())
		require.Zero(t, seat.Attempt())
	}
	plan := council.Plan()
	require.Len(t, plan.Next, 2)
	for i, assignment := range plan.Next {
		require.Equal(t, proposing, assignment.Phase)
		require.Equal(t, council.Request().Agents()[i], assignment.Agent)
		require.Empty(t, assignment.Reads)
	}
	require.Equal(t, plan, council.Plan(), "asking again changes nothing")

	assigned := council.Assign(plan.Next)
	require.False(t, assigned.Settled(proposing))
	require.False(t, assigned.QuorumMet())
	require.Equal(t, 1, assigned.Needs())
	require.Empty(t, assigned.Plan().Next)
	require.Equal(t, assigned, assigned.Assign(plan.Next), "an assignment is entered once")
}

func TestSubmittedSaysWhereATurnIs(t *testing.T) {
	council, turns := councilOf(t, 2)

	onItsWay := council.Submitted(turns[1], domain.Handle{})
	seat := onItsWay.Seats()[1]
	require.Equal(t, domain.AgentWaiting, seat.State())
	require.Equal(t, 1, seat.Attempt())
	require.Equal(t, turns[1].ID(), seat.TurnID())

	accepted := onItsWay.Submitted(turns[1], domain.Handle{TurnID: turns[1].ID(), Cluster: "local"})
	require.Equal(t, domain.AgentSubmitted, accepted.Seats()[1].State())
	require.Equal(t, "local", accepted.Seats()[1].Cluster())
	require.Equal(t, domain.AgentWaiting, accepted.Seats()[0].State())

	again := accepted.Submitted(turns[1].WithAttempt(2), domain.Handle{})
	require.Equal(t, domain.AgentWaiting, again.Seats()[1].State(), "the next attempt waits for room again")
	require.Empty(t, again.Seats()[1].Cluster())
	require.Equal(t, 2, again.Seats()[1].Attempt())
}

func TestSubmittedLeavesAnAgentThatIsDone(t *testing.T) {
	council, turns := councilOf(t, 2)
	council = take(take(council, turns[0], completed("p", 1, 0)), turns[1], failed(domain.ModelRejected, false, 0))
	for _, turn := range turns {
		council = council.Submitted(turn.WithAttempt(2), domain.Handle{TurnID: "x", Cluster: "c"})
	}
	require.Equal(t, domain.AgentCompleted, council.Seats()[0].State())
	require.Equal(t, domain.AgentFailed, council.Seats()[1].State())
}

// A turn changes its council about five times. If each time copied what is known of all agents, the largest council
// would copy 64 × 64 times as much as one agent, and most of what a worker allocates would be such copies.
func TestAChangeCopiesOneEntry(t *testing.T) {
	council, turns := councilOf(t, domain.MaxAgents)
	handle := domain.Handle{TurnID: turns[0].ID(), Cluster: "local"}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		council = council.Submitted(turns[0], handle)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, (after.TotalAlloc-before.TotalAlloc)/100, uint64(4<<10))
}

func TestChangesLeaveTheOldCouncilAsItIs(t *testing.T) {
	council, turns := councilOf(t, 2)
	submitted := council.Submitted(turns[0], domain.Handle{TurnID: turns[0].ID(), Cluster: "local"})
	before := submitted.Seats()

	take(submitted, turns[0], completed("p", 1, 5))
	take(submitted, turns[0], failed(domain.ModelRejected, false, 5))
	submitted.Close(late)
	submitted.Submitted(turns[0].WithAttempt(2), domain.Handle{})
	require.Equal(t, before, submitted.Seats())

	usage, wasted := submitted.Paid()
	require.Zero(t, usage)
	require.Zero(t, wasted)
	require.Equal(t, domain.AgentWaiting, council.Seats()[0].State())
}

func TestACompletedAgentHasItsResult(t *testing.T) {
	council, turns := councilOf(t, 1)
	outcome := completed("do it", 0.5, 7)
	outcome.Metadata = map[string]string{"cluster": "local"}
	council = take(council, turns[0].WithAttempt(3), outcome)
	outcome.Metadata["cluster"] = "changed"

	require.True(t, council.Settled(proposing))
	require.True(t, council.QuorumMet())
	result := council.Seats()[0].Result()
	require.Equal(t, "do it", result.Proposal())
	require.Equal(t, 3, result.Attempts())
	require.Equal(t, 3, council.Seats()[0].Attempt())
	require.Equal(t, 7, result.Usage().Tokens())
	require.Equal(t, map[string]string{"cluster": "local"}, result.Metadata())
}

func TestEveryAttemptThatWasPaidCountsAndWhatGaveNothingIsWasted(t *testing.T) {
	council, turns := councilOf(t, 2)
	council = take(council, turns[0], failed(domain.ModelTimeout, true, 10))
	council = take(council, turns[0].WithAttempt(2), completed("p", 1, 100))
	council = take(council, turns[1], domain.Outcome{Kind: domain.OutcomeLost, Usage: domain.Usage{PromptTokens: 1, Calls: 1}})
	council = council.Waste(turns[0], domain.Usage{CompletionTokens: 5, Calls: 1})
	usage, wasted := council.Paid()
	require.Equal(t, domain.Usage{PromptTokens: 1, CompletionTokens: 115, Calls: 4}, usage)
	require.Equal(t, 16, wasted)
}

func TestTheSameAnswerCountsAsPaidOnce(t *testing.T) {
	council, turns := councilOf(t, 1)
	council = take(take(council, turns[0], completed("p", 1, 100)), turns[0], completed("p", 1, 100))
	usage, wasted := council.Paid()
	require.Equal(t, 100, usage.Tokens())
	require.Zero(t, wasted)

	council = take(council, turns[0].WithAttempt(2), completed("second", 1, 50))
	usage, wasted = council.Paid()
	require.Equal(t, 150, usage.Tokens())
	require.Equal(t, 50, wasted, "only the first of two proposals counts")
	require.Equal(t, "p", council.Seats()[0].Result().Proposal())
}

func TestAnAnswerThatBreaksARuleFailsItsAgentAndIsWasted(t *testing.T) {
	council, turns := councilOf(t, 1)
	council, decision := council.Take(turns[0], completed(" ", 2, 9))
	require.Equal(t, domain.DecisionGivenUp, decision.Kind)
	failure := council.Seats()[0].Failure()
	require.Equal(t, domain.InvalidOutput, failure.Kind())
	require.Equal(t, "proposal: cannot be empty; score: must be a number in 0..1, got 2", failure.Message())
	_, wasted := council.Paid()
	require.Equal(t, 9, wasted)
}

func TestATurnThatNobodyWaitsForGivesItsAgentUp(t *testing.T) {
	council, turns := councilOf(t, 2)
	gone := domain.GivenUp(domain.NewTurnFailure(domain.ModelUnavailable, "503", true))
	council, decision := council.Take(turns[1].WithAttempt(4), gone)
	require.Equal(t, domain.DecisionGivenUp, decision.Kind)
	require.False(t, council.Settled(proposing))
	failure := council.Seats()[1].Failure()
	require.Equal(t, "agent-2", failure.AgentID())
	require.Equal(t, domain.ModelUnavailable, failure.Kind())
	require.Equal(t, "503", failure.Message())
	require.Equal(t, 4, failure.Attempts())
}

func TestAProposalIsNeverThrownAway(t *testing.T) {
	council, turns := councilOf(t, 1)

	won := take(council, turns[0], completed("p", 1, 0))
	require.Equal(t, domain.AgentCompleted, take(won, turns[0], domain.GivenUp(late)).Seats()[0].State())
	require.Equal(t, domain.AgentCompleted, won.Close(late).Seats()[0].State())

	givenUp := take(council.Close(late), turns[0], completed("p", 1, 0))
	require.Equal(t, domain.AgentCompleted, givenUp.Seats()[0].State(), "the answer of the stop has a proposal")
	require.Zero(t, givenUp.Seats()[0].Failure())
	require.Empty(t, givenUp.Rank().Failures())
}

func TestCloseGivesUpEveryAgentThatIsNotDone(t *testing.T) {
	council, turns := councilOf(t, 4)
	council = take(take(council, turns[0], completed("p", 1, 0)), turns[1], failed(domain.ModelRejected, false, 0))
	council = council.Submitted(turns[2].WithAttempt(2), domain.Handle{TurnID: "x", Cluster: "c"}).Close(late)
	require.True(t, council.Settled(proposing))
	failures := council.Rank().Failures()
	require.Len(t, failures, 3)
	require.Equal(t, domain.ModelRejected, failures[0].Kind())
	require.Equal(t, domain.StillRunning, failures[1].Kind())
	require.Equal(t, 2, failures[1].Attempts())
	require.Equal(t, 1, failures[2].Attempts())
}

func TestATurnOfAnotherCouncilChangesNoSeat(t *testing.T) {
	council, _ := councilOf(t, 1)
	_, others := councilOf(t, 2)
	stranger := others[1]
	for _, changed := range []domain.Council{
		council.Submitted(stranger, theHandle), take(council, stranger, completed("p", 1, 0)), take(council, stranger, domain.GivenUp(late)),
	} {
		require.Equal(t, council.Seats(), changed.Seats())
	}
}

func TestTheQuorumIsCountedInProposals(t *testing.T) {
	for quorum, needs := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3} {
		spec := specOf(3)
		spec.Protocol.Quorum = quorum
		council, turns := asked(requestOf(t, spec), domain.RunKey{})
		require.Equal(t, needs, council.Needs())
		for done, turn := range turns {
			require.Equal(t, done >= needs, council.QuorumMet())
			council = take(council, turn, completed("p", 1, 0))
		}
		require.True(t, council.QuorumMet())
	}
}

func TestAJudgeHasASeatWhileItIsAtWorkAndIsRetiredAfterIt(t *testing.T) {
	council := domain.NewCouncil(requestOf(t, reviewedSpec(2, domain.ReviewJudge, 1)), domain.RunKey{WorkflowID: "w"})
	reviews := 0
	for plan := council.Plan(); len(plan.Next) > 0; plan = council.Plan() {
		council = council.Assign(plan.Next)
		if plan.Next[0].Phase.Kind == domain.PeerReview {
			reviews++
			require.Len(t, council.Seats(), 3)
			require.Empty(t, council.Retired(), "it is at work, also in the second round")
		}
		council = settledAll(council, plan.Next, 1)
		require.Len(t, council.Seats(), 2)
		require.Len(t, council.Retired(), min(reviews, 1))
	}
	require.Equal(t, 2, reviews)
	require.Equal(t, "judge", council.Retired()[0].Agent().ID())
	require.Equal(t, domain.AgentCompleted, council.Retired()[0].State())
}
