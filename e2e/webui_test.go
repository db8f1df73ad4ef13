//go:build integration

package e2e

import (
	"context"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// This test reads what a person sees in Temporal's Web UI.
func TestTheWebUIShowsDeliberations(t *testing.T) {
	b := openBrowser(t)
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	good, shaky, away, endless := stack.Model(t, "good"), stack.Model(t, "shaky"), stack.Model(t, "away"), stack.Model(t, "hangs")
	stack.Script(t, good, stack.Answers("0.9"))
	stack.Script(t, shaky, stack.Step{"status": 500}, stack.Answers("0.4"))
	stack.Script(t, away, stack.Step{"status": 404})
	stack.Script(t, endless, stack.Hangs())
	council := stack.Agents(good, shaky, away)
	council[0].AgentID, council[1].AgentID, council[2].AgentID = "agent-dev-001", "agent-qa-001", "agent-sec-001"
	council[1].Role = "QA"
	plan := stack.Task(t)

	ended := startAs(t, queue, plan, "ended", council)
	stack.Result(t, ended)
	open := startAs(t, queue, plan, "open", stack.Agents(endless))
	stack.AwaitOpenCalls(t, endless, 1)

	workflowsAt := stack.At.TemporalUI + "/namespaces/default/workflows"
	page := func(id, run, tab string) string {
		return workflowsAt + "/" + url.PathEscape(id) + "/" + run + "/" + tab
	}
	b.sees(t, "list", workflowsAt+"?query="+url.QueryEscape("DeliberationPlanId="+`"`+plan+`"`), pageText,
		"2 Workflows", "1 Running", "1 Completed", ended.GetID(), open.GetID())
	b.sees(t, "ended-metadata", page(ended.GetID(), ended.GetRunID(), "user-metadata"), pageText,
		plan+"-ended · DEV · 3 agents", "Phase: done", "agent-dev-001", "agent-qa-001", "ModelRejected")
	b.sees(t, "ended-timeline", page(ended.GetID(), ended.GetRunID(), "history"), drawnText,
		"submit · 3 turns", "poll · agent-dev-001 · DEV · attempt 1", "poll · agent-qa-001 · QA · attempt 1",
		"poll · agent-qa-001 · QA · attempt 2")
	b.sees(t, "open-metadata", page(open.GetID(), open.GetRunID(), "user-metadata"), pageText,
		plan+"-open · DEV · 1 agent", "Phase: propose", "agent-1")
	b.sees(t, "open-timeline", page(open.GetID(), open.GetRunID(), "history"), drawnText, "poll · agent-1 · DEV · attempt 1")
}

// startAs starts a deliberation by our own client, which gives it a summary.
func startAs(t *testing.T, queue, plan, name string, council []contract.Agent) client.WorkflowRun {
	t.Helper()
	request := stack.Request(t, council)
	request.TaskID, request.Constraints.PlanID = plan+"-"+name, plan
	request.Constraints.TimeoutSeconds = new(900) // one of them must last until the end of the test
	started, err := contract.Start(t.Context(), stack.Temporal, request, contract.StartOptions{TaskQueue: queue})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = stack.Temporal.TerminateWorkflow(context.Background(), started.Run.GetID(), started.Run.GetRunID(), "the test is over")
	})
	return started.Run
}
