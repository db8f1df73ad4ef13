package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// twoClusters is a stage whose first cluster is gone as soon as it has taken the council.
func twoClusters(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.settings.Grace = time.Minute
	s.settings.Clusters = []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true, Room: true}}
	s.at(time.Millisecond, func() { s.settings.Clusters[0].Up = false })
	return s
}

func clustersOf(handles []contract.Handle) map[string]int {
	count := map[string]int{}
	for _, handle := range handles {
		count[handle.Cluster]++
	}
	return count
}

func TestPlacement_OpeningTakesTheFirstHealthyClusterWithRoom(t *testing.T) {
	s := twoClusters(t)
	s.settings.Clusters[0].Room = false

	_, err := s.run(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, "b", s.ray.submitted[0].Cluster)
	require.Equal(t, 60, s.ray.submitted[0].GraceSeconds)
}

func TestPlacement_TurnsOfAClusterThatIsGoneGoElsewhereAsNewAttempts(t *testing.T) {
	s := twoClusters(t)
	for _, agent := range []string{"agent-1", "agent-2"} {
		s.ray.agents[agent] = replies(unreachable().in(time.Minute), answer("from b", 0.5))
	}
	s.ray.agents["agent-3"] = replies(answer("was done before", 0.9))

	result, err := s.run(retries(fakes.Council(3), 0))

	require.NoError(t, err)
	require.False(t, result.Degraded)
	require.Equal(t, []int{1, 2, 2}, attemptsOf(result), "being placed elsewhere uses up no retry")
	require.Equal(t, []string{"a", "b", "b"}, clustersOfInputs(s.ray.submitted))
	require.Equal(t, "b", result.Results[1].Metadata["cluster"])
}

func TestPlacement_WhatIsLeftBehindIsStoppedWhenItsClusterIsBack(t *testing.T) {
	s := twoClusters(t)
	paid := answer("from a, too late", 1).out
	for _, agent := range []string{"agent-1", "agent-2"} {
		s.ray.agents[agent] = script{
			{reply: unreachable().in(time.Minute), atStop: &paid},
			{reply: answer("from b", 0.5).in(time.Minute)},
		}
	}
	back := s.env.Now().Add(90 * time.Second)
	s.ray.gone = func(cluster string) bool { return cluster == "a" && s.env.Now().Before(back) }

	result, err := s.run(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, "from b", result.BestResult.Proposal, "what comes from there later doesn't count")
	require.Equal(t, 4, result.Usage.LLMCalls)
	require.Equal(t, 2*(paid.Usage.PromptTokens+paid.Usage.CompletionTokens), result.Usage.WastedTokens)
	stopped := map[domain.TurnID]bool{}
	for _, in := range s.ray.stopped {
		require.True(t, in.Partly, "while the run goes on")
		require.Equal(t, len(in.Stop), clustersOf(in.Stop)["a"], "nothing else is stopped with it")
		for _, handle := range in.Stop {
			stopped[handle.TurnID] = true
		}
	}
	require.Len(t, stopped, 2)
	require.Equal(t, map[string]int{"a": 2, "b": 2}, clustersOf(s.ray.forgotten))
}

func TestPlacement_AResultDoesNotWaitForAClusterThatIsGone(t *testing.T) {
	s := twoClusters(t)
	s.ray.agents["agent-1"] = replies(unreachable().in(time.Minute), answer("from b", 0.5).in(time.Second))
	s.ray.gone = func(cluster string) bool { return cluster == "a" }
	begin := s.env.Now()

	result, err := s.runBesidesRay(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, "from b", result.BestResult.Proposal)
	require.Less(t, s.env.Now().Sub(begin), 67*time.Second, "the grace, a delay, the answer, three seconds for the stop")
}

func TestPlacement_ACouncilThatWaitsForRoomGoesWhereThereIsSome(t *testing.T) {
	s := twoClusters(t)
	s.ray.submit = []reply[contract.SubmitTurnsResult]{
		{out: contract.SubmitTurnsResult{Refusal: "connection refused", Elsewhere: true}, after: time.Minute},
	}

	result, err := s.run(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, clustersOfInputs(s.ray.submitted))
	require.Nil(t, s.ray.submitted[1].Request, "the request travels once")
	require.Equal(t, []int{2, 2}, attemptsOf(result), "a may have taken the first ones")
	require.Equal(t, map[string]int{"a": 2}, clustersOf(s.ray.stopped[0].Stop))
}

func TestPlacement_TheQueueTimeoutHoldsOverAllClusters(t *testing.T) {
	s := twoClusters(t)
	elsewhere := reply[contract.SubmitTurnsResult]{
		out: contract.SubmitTurnsResult{Refusal: "the runner is full", Elsewhere: true}, after: time.Minute,
	}
	s.ray.submit = []reply[contract.SubmitTurnsResult]{elsewhere, elsewhere, {out: contract.SubmitTurnsResult{Refusal: "the runner is full"}, after: 30 * time.Second}}

	_, err := s.run(queueTimeout(fakes.Council(1), 150))

	kind, message, _ := failed(t, err)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Contains(t, message, "queued for 150 s")
	require.WithinDuration(t, s.ray.submitted[0].GiveUpAt, s.ray.submitted[2].GiveUpAt, time.Second)
}

func TestPlacement_AnAttemptIsPlacedElsewhereToo(t *testing.T) {
	s := twoClusters(t)
	s.ray.agents["agent-1"] = replies(failure(domain.ModelUnavailable, true), answer("never asked", 1), answer("from b", 0.5))
	s.ray.submit = []reply[contract.SubmitTurnsResult]{
		{}, {out: contract.SubmitTurnsResult{Refusal: "connection refused", Elsewhere: true}, after: time.Minute},
	}

	result, err := s.run(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "a", "b"}, clustersOfInputs(s.ray.submitted))
	require.Equal(t, "from b", result.BestResult.Proposal)
	require.Equal(t, 3, result.BestResult.Attempts)
}

// thereAndBack is a stage whose council leaves a for b, which has no room, and comes back: then agent-1's
// attempts come to what is said.
func thereAndBack(t *testing.T, said ...reply[contract.TurnOutcome]) *stage {
	t.Helper()
	s := twoClusters(t)
	s.settings.Clusters[1].Room = false
	s.ray.agents["agent-1"] = replies(unreachable().in(time.Minute))
	s.ray.submit = []reply[contract.SubmitTurnsResult]{
		{}, {out: contract.SubmitTurnsResult{Refusal: "the runner is full", Elsewhere: true}, after: time.Minute},
	}
	s.at(90*time.Second, func() {
		s.settings.Clusters[0].Up = true
		s.ray.agents["agent-1"] = replies(said...)
	})
	return s
}

func TestPlacement_ATurnIsFoundAgainWhenItsCouncilComesBack(t *testing.T) {
	s := thereAndBack(t, answer("paid once", 0.9))

	result, err := s.run(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "a"}, clustersOfInputs(s.ray.submitted))
	require.Equal(t, s.ray.submitted[0].Turns, s.ray.submitted[2].Turns, "the same id is the same work")
	require.Equal(t, 1, result.Usage.LLMCalls)
	require.Len(t, s.nats.kinds(), 4, "%v: one of each", s.nats.kinds())
}

func TestPlacement_AnAttemptThatWasFoundAgainIsFollowedByANewOne(t *testing.T) {
	s := thereAndBack(t, failure(domain.ModelUnavailable, true), answer("b never got it", 0.1), answer("at last", 0.9))

	result, err := s.run(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []int{3}, attemptsOf(result), "the second one's id belongs to what was put to b")
}

// Agent 2 pauses for long before its next attempt, which it chose for b; agent 1 finds b full, and goes back.
func TestPlacement_ATurnIsChosenBehindItsDelay(t *testing.T) {
	s := twoClusters(t)
	fails := failure(domain.ModelUnavailable, true)
	s.ray.agents["agent-1"] = replies(unreachable().in(80 * time.Second))
	s.ray.agents["agent-2"] = replies(fails, fails, fails, fails, unreachable().in(time.Minute))
	full := reply[contract.SubmitTurnsResult]{out: contract.SubmitTurnsResult{Refusal: "the runner is full", Elsewhere: true}}
	s.ray.submit = []reply[contract.SubmitTurnsResult]{{}, {}, {}, {}, {}, full}
	s.at(79*time.Second, func() {
		s.settings.Clusters[0].Up = true
		s.ray.agents["agent-1"] = replies(answer("found again", 0.9))
		s.ray.agents["agent-2"] = replies(fails, fails, fails, fails, answer("found again too", 0.5))
	})

	result, err := s.run(retries(fakes.Council(2), 9))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "a", "a", "a", "a", "b", "a", "a"}, clustersOfInputs(s.ray.submitted))
	require.Equal(t, s.ray.submitted[4].Turns, s.ray.submitted[7].Turns, "the turn that runs there")
	require.Equal(t, []int{1, 5}, attemptsOf(result))
	require.Equal(t, 6, result.Usage.LLMCalls, "two that count, and four that failed")
}

func TestPlacement_AnAgentIsToldOfOnce(t *testing.T) {
	s := twoClusters(t)
	late := answer("from a, too late", 1).out
	s.ray.agents["agent-1"] = script{
		{reply: unreachable().in(time.Minute), atStop: &late},
		{reply: reply[contract.TurnOutcome]{after: forever}, atStop: &late},
	}
	s.ray.submit = []reply[contract.SubmitTurnsResult]{{}, {after: forever}}

	_, err := s.run(timeout(fakes.Council(1), 100))

	require.NoError(t, err)
	told := 0
	for _, kind := range s.nats.kinds() {
		if kind == domain.EventAgentCompleted {
			told++
		}
	}
	require.Equal(t, 1, told, "%v", s.nats.kinds())
}

func TestPlacement_ARunWithoutAChoiceStays(t *testing.T) {
	s := newStage(t)
	s.ray.agents["agent-1"] = replies(unreachable(), answer("again", 0.5))
	s.at(time.Millisecond, func() {
		s.settings.Clusters = []domain.ClusterState{{Name: "local"}, {Name: "b", Up: true, Room: true}}
	})

	_, err := s.run(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []string{"local", "local"}, clustersOfInputs(s.ray.submitted))
}

func clustersOfInputs(submitted []contract.SubmitTurnsInput) []string {
	clusters := make([]string, 0, len(submitted))
	for _, in := range submitted {
		clusters = append(clusters, in.Cluster)
	}
	return clusters
}

func attemptsOf(result contract.Result) []int {
	attempts := make([]int, 0, len(result.Results))
	for _, agent := range result.Results {
		attempts = append(attempts, agent.Attempts)
	}
	return attempts
}
