package domain_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// Each test in this file stands for one that the seed names: thirteen of entities and value objects, three of
// statistics, and the runtimes of a job.

func TestSeedRequestHoldsWhatItWasMadeOf(t *testing.T) {
	request := requestOf(t, specOf(2))

	require.Equal(t, "T-42", request.TaskID())
	require.Equal(t, "Add rate limiting to the login API", request.TaskDescription())
	require.Equal(t, "DEV", request.Role())
	require.Equal(t, "http://vllm:8000", request.VLLMURL())
	require.Equal(t, "qwen", request.Agents()[0].Model())
	require.Equal(t, "S-7", request.Constraints().StoryID())
	require.Len(t, request.Agents(), 2)
	require.Equal(t, 1, request.Protocol().Rounds())
	require.Equal(t, 2048, request.Protocol().MaxTokens())
	require.InDelta(t, 0.7, request.Protocol().Temperature(), 0)
	require.Equal(t, "T-42 · DEV · 2 agents", request.Title())
}

func TestSeedRequestIsImmutable(t *testing.T) {
	spec := specOf(2)
	request := requestOf(t, spec)

	spec.Agents[0].AgentID = "changed"
	spec.Constraints.Metadata["team"] = "changed"
	request.Agents()[1] = domain.AgentConfig{}
	request.Constraints().Metadata()["team"] = "changed"

	require.Equal(t, "agent-1", request.Agents()[0].ID())
	require.Equal(t, "agent-2", request.Agents()[1].ID())
	require.Equal(t, map[string]string{"team": "identity"}, request.Constraints().Metadata())
}

func TestSeedRequestNeedsATaskID(t *testing.T) {
	seedRequires(t, "task_id: cannot be empty", func(spec *domain.RequestSpec, value string) { spec.TaskID = value })
}

func TestSeedRequestNeedsADescription(t *testing.T) {
	seedRequires(t, "task_description: cannot be empty", func(spec *domain.RequestSpec, value string) { spec.TaskDescription = value })
}

func TestSeedRequestNeedsARole(t *testing.T) {
	seedRequires(t, "role: cannot be empty", func(spec *domain.RequestSpec, value string) { spec.Role = value })
}

func TestSeedRequestNeedsAnAgent(t *testing.T) {
	_, err := domain.NewDeliberationRequest(specOf(0))
	require.EqualError(t, err, "agents: needs at least one agent")
}

func TestSeedRequestNeedsAModelServerAndAModel(t *testing.T) {
	seedRequires(t, "vllm_url: cannot be empty", func(spec *domain.RequestSpec, value string) { spec.VLLMURL = value })
	seedRequires(t, "vllm_model: cannot be empty", func(spec *domain.RequestSpec, value string) { spec.VLLMModel = value })
}

func TestSeedResultNeedsAnAgentAndAProposal(t *testing.T) {
	_, err := domain.NewDeliberationResult(domain.ResultSpec{Answer: domain.RestoredAnswer("do it", "", 1)})
	require.EqualError(t, err, "agent_id: cannot be empty")

	for _, proposal := range []string{"", " \n\t"} {
		_, err = domain.NewDeliberationResult(domain.ResultSpec{Agent: agentOf(t, "a"), Answer: domain.RestoredAnswer(proposal, "", 1)})
		require.EqualError(t, err, "proposal: cannot be empty")
	}
}

func TestSeedResultScoreLiesBetweenZeroAndOne(t *testing.T) {
	for _, score := range []float64{0, 0.82, 1} {
		result, err := domain.NewDeliberationResult(domain.ResultSpec{Agent: agentOf(t, "a"), Answer: domain.RestoredAnswer("do it", "", score)})
		require.NoError(t, err)
		require.InDelta(t, score, result.Score(), 0)
	}
	for shown, score := range map[string]float64{
		"-0.1": -0.1, "1.1": 1.1, "NaN": math.NaN(), "+Inf": math.Inf(1), "-Inf": math.Inf(-1),
	} {
		_, err := domain.NewDeliberationResult(domain.ResultSpec{Agent: agentOf(t, "a"), Answer: domain.RestoredAnswer("do it", "", score)})
		require.EqualError(t, err, "score: must be a number in 0..1, got "+shown)
	}
}

func TestSeedResultIsImmutable(t *testing.T) {
	metadata := map[string]string{"cluster": "local"}
	result, err := domain.NewDeliberationResult(domain.ResultSpec{
		Agent: agentOf(t, "a"), Answer: domain.RestoredAnswer("do it", "because", 0.5), Attempts: 2,
		Duration: time.Second, Usage: domain.Usage{Calls: 1}, Metadata: metadata,
	})
	require.NoError(t, err)

	metadata["cluster"] = "changed"
	result.Metadata()["cluster"] = "changed"

	require.Equal(t, map[string]string{"cluster": "local"}, result.Metadata())
	require.Equal(t, "a", result.Agent().ID())
	require.Equal(t, "do it", result.Proposal())
	require.Equal(t, "because", result.Reasoning())
	require.Equal(t, 2, result.Attempts())
	require.Equal(t, time.Second, result.Duration())
	require.Equal(t, domain.Usage{Calls: 1}, result.Usage())
}

func TestSeedJobNeedsIDsAndAStart(t *testing.T) {
	require.NoError(t, domain.JobInfo{DeliberationID: "w", RunID: "r", Start: time.Unix(0, 0)}.Check())

	require.EqualError(t, domain.JobInfo{RunID: " ", Start: time.Unix(-1, 0)}.Check(),
		"job_id: cannot be empty; submission_id: cannot be empty; start_time_seconds: cannot be negative, got -1")
	require.ErrorContains(t, domain.JobInfo{DeliberationID: "w", RunID: "r"}.Check(),
		"start_time_seconds: cannot be negative", "the zero time is not a start")
}

func TestSeedAgentNeedsIDRoleAndModel(t *testing.T) {
	spec := specOf(1)
	spec.Agents[0] = domain.AgentSpec{AgentID: "a", Role: "QA", Model: "m", PromptTemplate: "be {role}"}
	agent := requestOf(t, spec).Agents()[0]
	require.Equal(t, []string{"a", "QA", "m"}, []string{agent.ID(), agent.Role(), agent.Model()})
	require.False(t, agent.IsZero())

	spec.Agents[0] = domain.AgentSpec{AgentID: " ", Model: "\t"}
	_, err := domain.NewDeliberationRequest(spec)
	require.EqualError(t, err, "agents[0].agent_id: cannot be empty; agents[0].role: cannot be empty; agents[0].model: cannot be empty")
	require.True(t, domain.AgentConfig{}.IsZero())
}

func TestSeedConstraintsHoldStoryPlanTimeoutAndRetries(t *testing.T) {
	constraints := requestOf(t, specOf(1)).Constraints()
	require.Equal(t, "S-7", constraints.StoryID())
	require.Equal(t, "P-3", constraints.PlanID())
	require.Equal(t, 5*time.Minute, constraints.Timeout())
	require.Equal(t, time.Hour, constraints.QueueTimeout())
	require.True(t, constraints.MayRetry(3))
	require.False(t, constraints.MayRetry(4))
	require.Equal(t, 300, domain.DefaultTimeoutSeconds)
	require.Equal(t, 3, domain.DefaultMaxRetries)

	spec := specOf(1)
	spec.Constraints = domain.ConstraintsSpec{TimeoutSeconds: -1, MaxRetries: -1}
	_, err := domain.NewDeliberationRequest(spec)
	require.EqualError(t, err, "constraints.story_id: cannot be empty; constraints.plan_id: cannot be empty; "+
		"constraints.timeout_seconds: must be 1..86400, got -1; constraints.max_retries: must be 0..20, got -1; "+
		"constraints.queue_timeout_seconds: must be 1..86400, got 0")
}

func TestSeedStatsOfNothingAreZero(t *testing.T) {
	stats, err := domain.NewExecutionStats(domain.ExecutionCounts{}, domain.ExecutionTimes{})
	require.NoError(t, err)
	require.Zero(t, stats)
	require.Zero(t, stats.Total())
	require.Zero(t, stats.Failed())
	require.Zero(t, stats.Times().AverageMS)
}

func TestSeedStatsRefuseNegatives(t *testing.T) {
	_, err := domain.NewExecutionStats(domain.ExecutionCounts{
		Active: -1, Completed: -2, Failed: -3, Cancelled: -4, TimedOut: -5, Terminated: -6,
	}, domain.ExecutionTimes{AverageMS: -1000})
	require.EqualError(t, err, strings.Join([]string{
		"active_deliberations: cannot be negative, got -1",
		"completed_deliberations: cannot be negative, got -2",
		"failed_deliberations: cannot be negative, got -3",
		"cancelled_deliberations: cannot be negative, got -4",
		"timed_out_deliberations: cannot be negative, got -5",
		"terminated_deliberations: cannot be negative, got -6",
		"average_execution_time_ms: cannot be negative, got -1000",
	}, "; "))
}

func TestSeedRuntimeIsInMinutesAndSeconds(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	for want, after := range map[string]time.Duration{
		"0m 0s": 0, "2m 5s": 125 * time.Second, "3m 5s": 185 * time.Second, "75m 12s": 75*time.Minute + 12*time.Second,
		"5m 30s": 330*time.Second + 999*time.Millisecond,
	} {
		require.Equal(t, want, domain.JobInfo{Start: start}.RuntimeAt(start.Add(after)))
	}
}

func seedRequires(t *testing.T, line string, set func(*domain.RequestSpec, string)) {
	t.Helper()
	for _, value := range []string{"", " \t\n", "\u00a0"} {
		spec := specOf(1)
		set(&spec, value)
		_, err := domain.NewDeliberationRequest(spec)
		require.EqualError(t, err, line)
	}
}
