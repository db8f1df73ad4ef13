package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestStatus_BeforeTheRequestIsRead(t *testing.T) {
	s := newStage(t)
	var before contract.Status
	var job contract.Job
	s.environment.OnRead = func() { before, job = s.status(), ask[contract.Job](s, contract.QueryJob) }

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, domain.StatusRunning, before.Status)
	require.Equal(t, "opening", before.Phase)
	require.Equal(t, deliberationID, before.DeliberationID)
	require.NotNil(t, before.StartedAt)
	require.Nil(t, before.ClosedAt)
	require.Equal(t, []contract.AgentStatus{}, before.Agents)
	require.Equal(t, "PENDING", job.Status)
	require.Equal(t, "0m 0s", job.Runtime)
}

func TestStatus_FollowsTheAgents(t *testing.T) {
	s := newStage(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Delay: 5 * time.Second}}
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("quick", 0.4).After(5 * time.Second))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true).After(5*time.Second), fakes.Answer("second try", 0.6).After(time.Minute))
	s.Ray.Agents["agent-3"] = fakes.Replies(fakes.Failure(domain.ModelRejected, false).After(5 * time.Second))
	seen := map[string]contract.Status{}
	for name, after := range map[string]time.Duration{"queued": time.Second, "waiting": 7 * time.Second, "retried": 20 * time.Second} {
		s.at(after, func() { seen[name] = s.status() })
	}

	_, err := s.runAndExpectNothingLeft(fakes.Council(3))

	require.NoError(t, err)
	states := func(name string) (states []domain.AgentState) {
		for _, agent := range seen[name].Agents {
			states = append(states, agent.State)
		}
		return states
	}
	require.Equal(t, "queued", seen["queued"].Phase)
	require.Equal(t, "local", seen["queued"].WaitingFor)
	require.Equal(t, []domain.AgentState{"waiting", "waiting", "waiting"}, states("queued"))
	require.Equal(t, 1, seen["queued"].Agents[0].Attempt)
	require.Equal(t, string(turnID(t, s, fakes.Council(3), "agent-1", 1)), seen["queued"].Agents[0].SubmissionID)
	require.Empty(t, seen["queued"].Agents[0].Cluster)

	require.Equal(t, "propose", seen["waiting"].Phase)
	require.Empty(t, seen["waiting"].WaitingFor)
	require.Equal(t, []domain.AgentState{"submitted", "submitted", "submitted"}, states("waiting"))
	require.Equal(t, "local", seen["waiting"].Agents[0].Cluster)

	require.Equal(t, []domain.AgentState{"completed", "submitted", "failed"}, states("retried"))
	require.Equal(t, 2, seen["retried"].Agents[1].Attempt)
	require.Equal(t, string(turnID(t, s, fakes.Council(3), "agent-2", 2)), seen["retried"].Agents[1].SubmissionID)
	require.Nil(t, seen["retried"].Result, "no result before all are done")

	after := s.status()
	require.Equal(t, "done", after.Phase)
	require.NotNil(t, after.ClosedAt)
	require.Equal(t, time.UTC, after.ClosedAt.Location())
	require.Equal(t, "second try", after.Result.Proposal)
}

func TestStatus_ClosedRunsWaitForNothing(t *testing.T) {
	s := newStage(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Value: contract.SubmitTurnsResult{Refusal: "full"}}}
	_, err := s.runAndExpectNothingLeft(fakes.Council(1))
	require.Error(t, err)
	require.Empty(t, s.status().WaitingFor)
	require.Equal(t, domain.AgentFailed, s.status().Agents[0].State)
}

func TestStatus_HasExactlyTheFieldsOfItsContract(t *testing.T) {
	s := newStage(t)
	_, err := s.runAndExpectNothingLeft(fakes.Council(1))
	require.NoError(t, err)
	status, job := ask[map[string]any](s, contract.QueryStatus), ask[map[string]any](s, contract.QueryJob)
	require.ElementsMatch(t, []string{
		"deliberation_id", "status", "phase", "round", "waiting_for", "agents", "result", "error_message",
		"started_at", "closed_at", "as_of",
	}, names(status))
	require.ElementsMatch(t, []string{
		"agent_id", "role", "model", "state", "attempt", "submission_id", "cluster",
	}, names(status["agents"].([]any)[0].(map[string]any)))
	require.ElementsMatch(t, []string{
		"rank", "agent_id", "role", "model", "proposal", "reasoning", "score", "attempts", "duration_ms", "usage", "metadata",
	}, names(status["result"].(map[string]any)))
	require.ElementsMatch(t, []string{
		"job_id", "name", "status", "submission_id", "role", "task_id", "start_time_seconds", "runtime",
	}, names(job))
	require.Equal(t, deliberationID+"/"+runID, job["job_id"])
	require.Equal(t, "deliberation T-42 (DEV)", job["name"])
	require.Equal(t, "SUCCEEDED", job["status"])
}

func names(object map[string]any) []string {
	all := make([]string, 0, len(object))
	for name := range object {
		all = append(all, name)
	}
	return all
}

func (s *stage) onAttributes(see func(temporal.SearchAttributes)) {
	s.env.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(attributes temporal.SearchAttributes) bool {
		see(attributes)
		return true
	})).Return(nil).Maybe()
}

func (s *stage) onMemo(see func(map[string]any)) {
	s.env.OnUpsertMemo(mock.MatchedBy(func(memo map[string]any) bool {
		see(memo)
		return true
	})).Return(nil).Maybe()
}

func TestShow_UpsertsAtTheStartAndAtTheEnd(t *testing.T) {
	tests := map[string]struct {
		agent fakes.Script
		memo  string
		score bool
	}{
		"a completed run": {
			fakes.Replies(fakes.Answer("a proposal", 0.5).After(2 * time.Second)),
			`{"outcome":"completed","best_agent":"agent-1","score":0.5,"execution_time_ms":2000,
				"usage_by_phase":{"propose":{"prompt_tokens":10,"completion_tokens":5,"llm_calls":1}}}`, true,
		},
		"a failed run": {
			fakes.Replies(fakes.Failure(domain.ModelRejected, false)),
			`{"outcome":"failed","execution_time_ms":0,"usage_by_phase":{"propose":{"prompt_tokens":10,"completion_tokens":1,"llm_calls":1}},"error":"0 of 1 agent gave a proposal, 1 needed; agent-1: ModelRejected: it broke"}`, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.environment.Current.Attributes = fakes.AttributeNames()
			s.Ray.Agents["agent-1"] = test.agent
			var upserts []map[string]any
			var memos []string
			s.onAttributes(func(attributes temporal.SearchAttributes) {
				values := map[string]any{}
				for key, value := range attributes.GetUntypedValues() {
					values[key.GetName()] = value
				}
				upserts = append(upserts, values)
			})
			s.onMemo(func(memo map[string]any) { memos = append(memos, encode(t, memo)) })

			_, _ = s.runAndExpectNothingLeft(fakes.Council(1))

			expected := []map[string]any{{
				"DeliberationRole": "DEV", "DeliberationTaskId": "T-42", "DeliberationStoryId": "S-7", "DeliberationPlanId": "P-3",
			}}
			if test.score {
				expected = append(expected, map[string]any{"DeliberationScore": 0.5})
			}
			require.Equal(t, expected, upserts)
			require.Len(t, memos, 2)
			require.JSONEq(t, `{"task_id":"T-42","role":"DEV","agents":1}`, memos[0])
			require.JSONEq(t, test.memo, memos[1])
		})
	}
}

func TestShow_UpsertsOnlyWhatAnyDatabaseStores(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Attributes = []string{"DeliberationRole", "DeliberationTaskId", "DeliberationStoryId", "DeliberationPlanId"}
	seen := 0
	s.onAttributes(func(attributes temporal.SearchAttributes) {
		for _, value := range attributes.GetUntypedValues() {
			require.Equal(t, "ab", value)
			seen++
		}
	})
	_, err := s.run(contract.RequestText(fakes.EditedRequest(t, map[string]string{
		"task_id": `"a\u0000b"`, "role": `"a\u0000b"`, "constraints.story_id": `"a\u0000b"`, "constraints.plan_id": `"a\u0000b"`,
	})))
	require.NoError(t, err)
	require.Equal(t, 4, seen)
}

func TestShow_UpsertsOnlyWhatTheNamespaceHas(t *testing.T) {
	tests := map[string]struct {
		has     []string
		upserts []string
	}{
		"nothing without attributes": {nil, nil},
		"one that it has":            {[]string{"DeliberationScore"}, []string{"DeliberationScore"}},
		"none that isn't ours":       {[]string{"CustomKeyword"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.environment.Current.Attributes = test.has
			var upserted []string
			s.onAttributes(func(attributes temporal.SearchAttributes) {
				for key := range attributes.GetUntypedValues() {
					upserted = append(upserted, key.GetName())
				}
			})
			_, err := s.runAndExpectNothingLeft(fakes.Council(1))
			require.NoError(t, err)
			require.Equal(t, test.upserts, upserted)
		})
	}
}

func TestShow_WordsOfAServerAreNoMarkdown(t *testing.T) {
	s := newStage(t)
	broken := fakes.Failure(domain.ModelRejected, false)
	broken.Value.Message = "see [here](http://x) ![i](y) <b>`*now*` | \\"
	s.Ray.Agents["agent-1"] = fakes.Replies(broken)

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.Error(t, err)
	require.Contains(t, s.details(), "- agent-1: ModelRejected: see \\[here\\](http://x) \\!\\[i\\](y) \\<b\\>\\`\\*now\\*\\` \\| \\\\")
}

func TestShow_CurrentDetailsDescribeTheRun(t *testing.T) {
	s := newStage(t)
	request := fakes.Council(3)
	request.TaskID, request.Role = "T|1", "DEV"
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("fair", 0.25))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("best", 0.75))
	s.Ray.Agents["agent-3"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true).After(time.Second), fakes.Failure(domain.ModelRejected, false).After(time.Minute))
	var during string
	s.at(30*time.Second, func() { during = s.details() })

	_, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.Equal(t, `**T\|1 · DEV · 3 agents**

Phase: propose

Waiting for: agent-3

| # | agent | role | state | score | attempt |
|---|---|---|---|---|---|
| 1 | agent-2 | DEV | completed | 0.75 | 1 |
| 2 | agent-1 | DEV | completed | 0.25 | 1 |
| – | agent-3 | DEV | submitted | – | 2 |
`, during)
	require.Contains(t, s.details(), "Phase: done")
	require.Contains(t, s.details(), "| – | agent-3 | DEV | failed | – | 2 |")
	require.Contains(t, s.details(), "- agent-3: ModelRejected: it broke")
	require.True(t, json.Valid([]byte(encode(t, s.details()))))
}
