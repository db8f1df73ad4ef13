package workflows_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

var update = flag.Bool("update", false, "write the golden files again")

// payloads has every payload, with every field set. The files in testdata/wire are the contract: a file that changes is
// a changed contract.
func payloads(t *testing.T) map[string]any {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	text := "not finished"
	parsed, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{
		"constraints.metadata": `{"team":"identity"}`, "agents.0.prompt_template": `"You are careful. <{role}>"`,
	})).Parse()
	require.NoError(t, err)
	normalised := parsed.Normalised
	handle := contract.Handle{TurnID: "tabc", Cluster: "local", Runner: "runner/a/0", Incarnation: "1"}
	outcome := fakes.Answer("Use a token bucket.", 0.82).Value
	outcome.Metadata = map[string]string{"submission_id": "tabc"}
	best := contract.AgentResult{Rank: 1, AgentProposal: contract.AgentProposal{
		AgentID: "agent-1", Role: "DEV", Model: "qwen", Proposal: "Use a token bucket.", Reasoning: "It is simple.",
		Score: 0.82, Attempts: 2, DurationMS: 1200, Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 5},
		Metadata: map[string]string{"submission_id": "tabc", "cluster": "local", "finish_reason": "stop"},
	}}
	failed := contract.AgentFailure{AgentID: "agent-2", ErrorType: domain.ModelUnavailable, Message: "503", Attempts: 4}
	usage := contract.TotalUsage{PromptTokens: 20, CompletionTokens: 6, LLMCalls: 3, WastedTokens: 11}
	cost := 0.0125
	priced, voted := usage, best
	priced.Cost, voted.Answer = &cost, "42"
	record := contract.EventRecord{
		ID: "deliberation-T-42/r/1-stream_start", Kind: domain.EventStreamStart, DeliberationID: deliberationID,
		AgentID: "agent-1", At: at, Data: json.RawMessage(`{"role":"DEV"}`),
	}
	job := contract.Job{
		JobID: "deliberation-T-42/r", Name: "deliberation T-42 (DEV)", Status: "RUNNING", SubmissionID: deliberationID,
		Role: "DEV", TaskID: "T-42", StartTimeSeconds: at.Unix(), Runtime: "5m 30s",
	}
	stats := contract.Stats{
		Total: 7, Active: 1, Completed: 2, Failed: 3, AverageMS: 2000, UptimeSeconds: 3600, Cancelled: 1, TimedOut: 1,
		Terminated: 1, P50MS: 2000, P95MS: 2500, AsOf: at,
		UsageByPhase: rolledUp(at).UsageByPhase,
	}
	counted := contract.CountResult{Stats: stats, AsOf: at, Jobs: []contract.ActiveJob{{
		WorkflowID: deliberationID, RunID: "r", TaskID: "T-42", Role: "DEV", Start: at,
	}}}
	rolled := rolledUp(at)
	return map[string]any{
		"request_normalised": &normalised,
		"opening": &workflows.Opening{
			Request: &normalised, AnswerBytes: 65536, Attributes: []string{"DeliberationRole"}, Events: true,
			Cluster: "local", GraceSeconds: 30,
		},
		"opening_with_prices": &workflows.Opening{
			Request: &normalised, AnswerBytes: 65536, Cluster: "local", Prices: contract.Prices{"qwen": {Prompt: 0.1, Completion: 0.4}},
		},
		"opening_refused": &workflows.Opening{Faults: []string{"task_id: cannot be empty"}},
		"result": &contract.Result{
			DeliberationID: deliberationID, TaskID: "T-42", Status: domain.StatusCompleted, RankingBasis: domain.RankedBySelf,
			Degraded: true, BestResult: &best, Results: []contract.AgentResult{best}, Failures: []contract.AgentFailure{failed},
			TotalAgents: 2, CompletedAgents: 1, FailedAgents: 1, AverageScore: 0.82, HasFailures: true,
			StopReason: domain.StopComplete, Usage: usage, StartedAt: at, CompletedAt: at.Add(time.Second), ExecutionTimeMS: 1000,
		},
		"result_of_a_vote": &contract.Result{
			DeliberationID: deliberationID, TaskID: "T-42", Status: domain.StatusCompleted, RankingBasis: domain.RankedByVotes,
			BestResult: &voted, Results: []contract.AgentResult{voted}, Failures: []contract.AgentFailure{}, TotalAgents: 1, CompletedAgents: 1,
			AverageScore: 0.82, StopReason: domain.StopBudget, Usage: priced, Votes: []contract.Vote{{Answer: "42", Votes: 1, Agents: []string{"agent-1"}, Score: 0.82}},
			StartedAt: at, CompletedAt: at.Add(time.Second), ExecutionTimeMS: 1000,
		},
		"result_of_a_chair": &contract.Result{
			DeliberationID: deliberationID, TaskID: "T-42", Status: domain.StatusCompleted, RankingBasis: domain.RankedBySelf,
			BestResult: &best, Results: []contract.AgentResult{best}, Failures: []contract.AgentFailure{}, TotalAgents: 1, CompletedAgents: 1,
			AverageScore: 0.82, StopReason: domain.StopComplete, Usage: usage, Synthesis: contract.Synthesis{Wanted: true, Text: &contract.SynthesisText{
				Model: "large", Text: "Use a token bucket, and test it.", Reasoning: "The first, with the tests of the second.", Score: 0.9,
				Attempts: 1, DurationMS: 900, Usage: best.Usage, Metadata: best.Metadata,
			}},
			StartedAt: at, CompletedAt: at.Add(time.Second), ExecutionTimeMS: 1000,
		},
		"result_without_its_chair": &contract.Result{
			DeliberationID: deliberationID, TaskID: "T-42", Status: domain.StatusCompleted, RankingBasis: domain.RankedBySelf,
			BestResult: &best, Results: []contract.AgentResult{best}, Failures: []contract.AgentFailure{}, TotalAgents: 1, CompletedAgents: 1,
			AverageScore: 0.82, StopReason: domain.StopComplete, Usage: usage, Synthesis: contract.Synthesis{Wanted: true},
			ChairFailure: &contract.AgentFailure{AgentID: "chair", ErrorType: domain.ModelRejected, Message: "404", Attempts: 1},
			StartedAt:    at, CompletedAt: at.Add(time.Second), ExecutionTimeMS: 1000,
		},
		"failure_details": &contract.FailureDetails{
			DeliberationID: deliberationID, TaskID: "T-42", Phase: "propose", Failures: []contract.AgentFailure{failed}, Usage: usage,
		},
		"status": &contract.Status{
			DeliberationID: deliberationID, Status: domain.StatusRunning, Phase: "propose", Round: 0, WaitingFor: "local",
			Agents: []contract.AgentStatus{{
				AgentID: "agent-1", Role: "DEV", Model: "qwen", State: domain.AgentSubmitted, Attempt: 1, SubmissionID: "tabc", Cluster: "local",
			}},
			StartedAt: &at, AsOf: at,
		},
		"status_closed": &contract.Status{
			DeliberationID: deliberationID, Status: domain.StatusFailed, Phase: "done", Agents: []contract.AgentStatus{},
			Result: &best, ErrorMessage: &text, StartedAt: &at, ClosedAt: &at, AsOf: at,
		},
		"job":         &job,
		"stats":       &stats,
		"active_jobs": &contract.ActiveJobs{Jobs: []contract.Job{job}, Total: 1, AsOf: at},
		"stats_state": &contract.StatsState{Since: at, Last: counted, RollUp: rolled},
		"submit_turns_input": &contract.SubmitTurnsInput{
			DeliberationID: deliberationID, OriginalRunID: "r", Brief: &contract.Brief{Request: &normalised}, Cluster: "local",
			Turns: []contract.TurnRef{{Phase: domain.Propose, AgentID: "agent-1", Attempt: 1, TurnID: "tabc"}}, RunSeconds: 300, KeepSeconds: 3900, GiveUpAt: at,
			GraceSeconds: 30, Events: []contract.EventRecord{record}, Repeated: true,
		},
		"submit_turns_result": &contract.SubmitTurnsResult{
			Handles: []contract.Handle{handle}, Cancelled: []domain.TurnID{"tdef"}, Refusal: "503: runner_full",
			Elsewhere: true, Announced: true,
		},
		"await_turn_input":   &contract.AwaitTurnInput{Handle: handle, AnswerBytes: 65536, GraceSeconds: 30},
		"await_turn_result":  &outcome,
		"await_turn_failure": &contract.TurnOutcome{Kind: domain.OutcomeFailed, ErrorType: domain.ModelTimeout, Message: "slow", Retryable: true},
		"stop_turns_input": &contract.StopTurnsInput{
			DeliberationID: deliberationID, Turns: []contract.Handle{handle}, AnswerBytes: 65536, Reason: "deadline", AllowPartial: true,
		},
		"stop_turns_result":     &contract.StopTurnsResult{Outcomes: map[domain.TurnID]contract.TurnOutcome{"tabc": outcome}},
		"publish_events_input":  &contract.PublishEventsInput{TaskDescription: "Add rate limiting", Events: []contract.EventRecord{record}},
		"publish_events_result": &contract.PublishEventsResult{Stored: 1},
		"close_deliberation_input": &contract.CloseDeliberationInput{
			DeliberationID: deliberationID, TaskDescription: "Add rate limiting",
			Events: []contract.EventRecord{record}, Forget: []contract.Handle{handle},
		},
		"close_deliberation_result": &contract.CloseDeliberationResult{Stored: 1, EventsError: "no responders"},
		"outbox_input":              &contract.OutboxInput{Events: []contract.EventRecord{record}},
		"count_input":               &contract.CountInput{RollUp: rolled},
		"count_result":              &contract.CountResult{Stats: stats, AsOf: at, Jobs: counted.Jobs, RollUp: rolled},
		"submit_progress":           &contract.SubmitProgress{State: "queued", Cluster: "local", Refusal: "503: runner_full", Since: at},
		"await_progress":            &contract.AwaitProgress{TurnID: "t1", Polls: 2, State: "running", LastAnswerAt: at, Tokens: 7},
		"event_started": &contract.StartedEvent{
			DeliberationID: deliberationID, RunID: "r", TaskID: "T-42", Role: "DEV", StoryID: "S-7", PlanID: "P-3",
			Status: domain.StatusRunning, Agents: []contract.EventAgent{{AgentID: "agent-1", Role: "DEV", Model: "qwen"}}, StartedAt: at,
		},
		"event_stream_start": &contract.StreamStartEvent{
			TaskDescription: "Add rate limiting", Role: "DEV", Status: "streaming", Model: "qwen", DeliberationID: deliberationID, AgentID: "agent-1",
		},
		"event_agent_completed": &contract.AgentCompletedEvent{
			DeliberationID: deliberationID, TaskID: "T-42", AgentProposal: best.AgentProposal,
		},
		"event_agent_failed": &contract.AgentFailedEvent{
			DeliberationID: deliberationID, TaskID: "T-42", AgentID: "agent-2", Role: "DEV", ErrorType: domain.ModelUnavailable, Message: "503", Attempts: 4,
		},
		"event_completed_scoreboard": &contract.ScoreboardEvent{
			DeliberationID: deliberationID, TaskID: "T-42", Status: domain.StatusCompleted, RankingBasis: domain.RankedBySelf,
			Scores: []contract.EventScore{{Rank: 1, AgentID: "agent-1", Score: 0.82}}, TotalAgents: 1, CompletedAgents: 1,
			AverageScore: 0.82, ExecutionTimeMS: 1000, ResultRef: contract.ResultRef{WorkflowID: deliberationID, RunID: "r"},
		},
		"event_failed": &contract.EndedEvent{
			DeliberationID: deliberationID, TaskID: "T-42", Status: domain.StatusFailed, ErrorType: domain.DeliberationFailed,
			Message: "0 of 2 agents gave a proposal, 1 needed", Failures: []contract.AgentFailure{failed}, ExecutionTimeMS: 1000,
		},
	}
}

func rolledUp(at time.Time) contract.RollUp {
	return contract.RollUp{
		Watermark: at, RereadFrom: at.Add(-5 * time.Minute), Completed: 2, Failed: 1, Cancelled: 1, TimedOut: 1, Terminated: 1,
		ExecutionUS: 4_000_000, Histogram: "HISTFAAAABp4nJNpmSzMwMAgzMjAwMAM", Seen: []contract.SeenRuns{{Since: at, Hashes: []byte("\x01234567\xff")}},
		UsageByPhase: map[domain.PhaseKind]contract.PhaseUsage{
			domain.Propose:    {PromptTokens: 300, CompletionTokens: 60, LLMCalls: 3},
			domain.PeerReview: {PromptTokens: 900, CompletionTokens: 90, LLMCalls: 3},
		},
	}
}

func TestPayloads_AreAsTheGoldenFilesHaveThem(t *testing.T) {
	values := payloads(t)
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "wire", name+".json")
			text := bytes.Buffer{}
			require.NoError(t, json.Indent(&text, []byte(encode(t, value)), "", "  "))
			text.WriteByte('\n')
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
				require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
			}
			golden, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(golden), text.String())
			decoded := reflect.New(reflect.TypeOf(value).Elem()).Interface()
			require.NoError(t, json.Unmarshal(golden, decoded))
			require.JSONEq(t, string(golden), encode(t, decoded))
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "wire", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, len(values), "a payload that was released stays readable")
}

func TestPayloads_ReadWhatOtherVersionsWrote(t *testing.T) {
	var state contract.StatsState
	require.NoError(t, json.Unmarshal([]byte(`{"since":"2026-03-01T12:00:00Z","last":{"stats":{},"jobs":[],"as_of":"2026-03-01T12:00:00Z"}}`), &state))
	require.Zero(t, state.RollUp)
	require.NotContains(t, encode(t, state), "roll_up", "and older ones read what has none")
}

func TestPayloads_TurnOutcomesKeepWhatTheDomainSays(t *testing.T) {
	for _, outcome := range []domain.Outcome{
		{
			Kind: domain.OutcomeCompleted, Answer: domain.RestoredAnswer("p", "r", 0.5), Duration: time.Second,
			Usage: domain.Usage{PromptTokens: 1, CompletionTokens: 2, Calls: 3}, Metadata: map[string]string{"k": "v"},
		},
		{Kind: domain.OutcomeFailed, Failure: domain.NewTurnFailure(domain.Truncated, "cut", true)},
		{Kind: domain.OutcomeLost, Reason: "restarted"},
		{Kind: domain.OutcomeUnreachable, Reason: "refused"},
		{Kind: domain.OutcomeCancelled, Reason: "stopped"},
		{Kind: domain.OutcomeRunning},
	} {
		require.Equal(t, outcome, contract.TurnOutcomeOf(outcome).Domain())
	}
}

func TestNames_AreWireFormat(t *testing.T) {
	require.Equal(t, []string{"SubmitTurns", "AwaitTurn", "StopTurns", "PublishEvents", "CloseDeliberation", "CountDeliberations"}, workflows.StepNames())
	require.Equal(t, []string{"Deliberation", "DeliberationOutbox", "DeliberationStats", "deliberation-stats"}, []string{
		contract.DeliberationName, contract.DeliberationOutboxName, contract.DeliberationStatsName, contract.StatsID,
	})
	require.Equal(t, []string{"status", "job", "stats", "active_jobs", "refresh", "stop_now"}, []string{
		contract.QueryStatus, contract.QueryJob, contract.QueryStats, contract.QueryActiveJobs, contract.UpdateRefresh, contract.UpdateStopNow,
	})
	require.Equal(t, []string{"deliberations", "deliberations-submit", "deliberations-wait"}, []string{
		contract.DefaultTaskQueue, contract.SubmitQueue(contract.DefaultTaskQueue), contract.WaitQueue(contract.DefaultTaskQueue),
	})
	require.Equal(t, "deliberation-T-42", contract.WorkflowID("T-42"))
}
