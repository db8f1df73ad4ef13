package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// twoClusters is a stage whose first cluster goes away right after it has accepted the council.
func twoClusters(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.environment.Current.Grace = time.Minute
	s.environment.Current.Clusters = []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true, Room: true}}
	s.at(time.Millisecond, func() { s.environment.Current.Clusters[0].Up = false })
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
	s.environment.Current.Clusters[0].Room = false

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, "b", s.Ray.Submitted[0].Cluster)
	require.Equal(t, 60, s.Ray.Submitted[0].GraceSeconds)
}

func TestPlacement_TurnsOfAClusterThatIsGoneMoveToAnotherOneAsNewAttempts(t *testing.T) {
	s := twoClusters(t)
	for _, agent := range []string{"agent-1", "agent-2"} {
		s.Ray.Agents[agent] = fakes.Replies(fakes.Unreachable().After(time.Minute), fakes.Answer("from b", 0.5))
	}
	s.Ray.Agents["agent-3"] = fakes.Replies(fakes.Answer("was done before", 0.9))

	result, err := s.runAndExpectNothingLeft(retries(fakes.Council(3), 0))

	require.NoError(t, err)
	require.False(t, result.Degraded)
	require.Equal(t, []int{1, 2, 2}, attemptsOf(result), "a move uses up no retry")
	require.Equal(t, []string{"a", "b", "b"}, clustersOfInputs(s.Ray.Submitted))
	require.Equal(t, "b", result.Results[1].Metadata["cluster"])
}

func TestPlacement_TurnsLeftOnAClusterAreStoppedWhenItIsBack(t *testing.T) {
	s := twoClusters(t)
	paid := fakes.Answer("from a, too late", 1).Value
	for _, agent := range []string{"agent-1", "agent-2"} {
		s.Ray.Agents[agent] = fakes.Script{
			{Reply: fakes.Unreachable().After(time.Minute), AtStop: &paid},
			{Reply: fakes.Answer("from b", 0.5).After(time.Minute)},
		}
	}
	back := s.env.Now().Add(90 * time.Second)
	s.Ray.Away = func(cluster string) bool { return cluster == "a" && s.env.Now().Before(back) }

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, "from b", result.BestResult.Proposal, "a later answer of a doesn't count")
	require.Equal(t, 4, result.Usage.LLMCalls)
	require.Equal(t, 2*(paid.Usage.PromptTokens+paid.Usage.CompletionTokens), result.Usage.WastedTokens)
	stopped := map[domain.TurnID]bool{}
	for _, in := range s.Ray.Stopped {
		require.True(t, in.AllowPartial, "while the run goes on")
		require.Equal(t, len(in.Turns), clustersOf(in.Turns)["a"], "no turn of another cluster is stopped with it")
		for _, handle := range in.Turns {
			stopped[handle.TurnID] = true
		}
	}
	require.Len(t, stopped, 2)
	require.Equal(t, map[string]int{"a": 2, "b": 2}, clustersOf(s.Ray.Forgotten))
}

func TestPlacement_AResultDoesNotWaitForAClusterThatIsGone(t *testing.T) {
	s := twoClusters(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable().After(time.Minute), fakes.Answer("from b", 0.5).After(time.Second))
	s.Ray.Away = func(cluster string) bool { return cluster == "a" }
	begin := s.env.Now()

	result, err := s.run(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, "from b", result.BestResult.Proposal)
	require.Less(t, s.env.Now().Sub(begin), 67*time.Second, "grace, delay, answer, and three seconds for the stop")
}

func TestPlacement_ACouncilThatWaitsForRoomGoesWhereThereIsSome(t *testing.T) {
	s := twoClusters(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{
		{Value: contract.SubmitTurnsResult{Refusal: "connection refused", Elsewhere: true}, Delay: time.Minute},
	}

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, clustersOfInputs(s.Ray.Submitted))
	require.Nil(t, s.Ray.Submitted[1].Brief, "the request travels once")
	require.Equal(t, []int{2, 2}, attemptsOf(result), "a may have accepted the first attempts")
	require.Equal(t, map[string]int{"a": 2}, clustersOf(s.Ray.Stopped[0].Turns))
}

func TestPlacement_TheQueueTimeoutHoldsOverAllClusters(t *testing.T) {
	s := twoClusters(t)
	elsewhere := fakes.Reply[contract.SubmitTurnsResult]{
		Value: contract.SubmitTurnsResult{Refusal: "the runner is full", Elsewhere: true}, Delay: time.Minute,
	}
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{elsewhere, elsewhere, {Value: contract.SubmitTurnsResult{Refusal: "the runner is full"}, Delay: 30 * time.Second}}

	_, err := s.runAndExpectNothingLeft(queueTimeout(fakes.Council(1), 150))

	kind, message, _ := failed(t, err)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Contains(t, message, "queued for 150 s")
	require.WithinDuration(t, s.Ray.Submitted[0].GiveUpAt, s.Ray.Submitted[2].GiveUpAt, time.Second)
}

func TestPlacement_ALaterAttemptMovesToAnotherClusterToo(t *testing.T) {
	s := twoClusters(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true), fakes.Answer("never asked", 1), fakes.Answer("from b", 0.5))
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{
		{}, {Value: contract.SubmitTurnsResult{Refusal: "connection refused", Elsewhere: true}, Delay: time.Minute},
	}

	result, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "a", "b"}, clustersOfInputs(s.Ray.Submitted))
	require.Equal(t, "from b", result.BestResult.Proposal)
	require.Equal(t, 3, result.BestResult.Attempts)
}

func TestPlacement_ACouncilMovesToEachClusterOnce(t *testing.T) {
	s := twoClusters(t)
	s.environment.Current.Clusters = append(s.environment.Current.Clusters, domain.ClusterState{Name: "c", Up: true})
	s.at(90*time.Second, func() { s.environment.Current.Clusters[0].Up = true })
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable().After(time.Minute), fakes.Unreachable().After(time.Minute), fakes.Answer("from c", 0.5))

	result, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, clustersOfInputs(s.Ray.Submitted), "a is back, but the council has left it")
	require.Equal(t, []int{3}, attemptsOf(result))
	require.Equal(t, 60, s.Ray.Awaited[1].GraceSeconds)
	require.Zero(t, s.Ray.Awaited[2].GraceSeconds, "the last cluster is waited for")
}

func TestPlacement_ATurnIsChosenAfterItsDelay(t *testing.T) {
	s := twoClusters(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable().After(10*time.Second), fakes.Answer("from b", 0.9))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true).After(9500*time.Millisecond), fakes.Answer("from b too", 0.5))

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "b"}, clustersOfInputs(s.Ray.Submitted), "the council moved during agent-2's delay")
	require.Equal(t, []int{2, 2}, attemptsOf(result))
}

func TestPlacement_ATurnOutOfReachIsFoundAgainWhereTheCouncilStays(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable().After(time.Second))
	s.at(5*time.Second, func() { s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("paid once", 0.5)) })

	result, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []int{1}, attemptsOf(result))
	for _, in := range s.Ray.Submitted[1:] {
		require.Equal(t, s.Ray.Submitted[0].Turns, in.Turns, "the same turns are submitted again")
	}
	require.Equal(t, 1, result.Usage.LLMCalls)
}

func TestPlacement_AnAgentIsAnnouncedOnce(t *testing.T) {
	s := twoClusters(t)
	late := fakes.Answer("from a, too late", 1).Value
	s.Ray.Agents["agent-1"] = fakes.Script{
		{Reply: fakes.Unreachable().After(time.Minute), AtStop: &late},
		{Reply: fakes.Reply[contract.TurnOutcome]{Delay: fakes.Forever}, AtStop: &late},
	}
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, {Delay: fakes.Forever}}

	_, err := s.runAndExpectNothingLeft(timeout(fakes.Council(1), 100))

	require.NoError(t, err)
	announced := 0
	for _, kind := range s.NATS.Kinds() {
		if kind == domain.EventAgentCompleted {
			announced++
		}
	}
	require.Equal(t, 1, announced, "%v", s.NATS.Kinds())
}

func TestPlacement_ARunWithoutAChoiceStays(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable().After(time.Second))
	s.at(5*time.Second, func() { s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("again", 0.5)) })
	s.at(time.Millisecond, func() {
		s.environment.Current.Clusters = []domain.ClusterState{{Name: "local"}, {Name: "b", Up: true, Room: true}}
	})

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, []string{"local"}, slices.Compact(clustersOfInputs(s.Ray.Submitted)))
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
