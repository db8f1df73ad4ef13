//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

// countNews counts the row's events that are missing where they must be, doubled or out of order.
func (f *field) countNews() (lost, doubled, disordered int) {
	f.t.Helper()
	if f.news == inOutbox {
		return f.notInOutbox(), 0, 0
	}
	connection, err := natsgo.Connect(stack.NATSURL, natsgo.Timeout(patience))
	require.NoError(f.t, err)
	defer connection.Close()
	js, err := jetstream.New(connection)
	require.NoError(f.t, err)
	for until := time.Now().Add(patience); ; time.Sleep(time.Second) {
		lost, doubled, disordered = 0, 0, 0
		for _, tr := range f.trials {
			expected := tr.ended.events
			if f.news == nowhere {
				expected = nil
			}
			stored := storedEvents(f.t, js, tr.run)
			if tr.before != nil {
				stored = append(storedEvents(f.t, js, tr.before), stored...)
			}
			l, d, o := tally(stored, expected)
			lost, doubled, disordered = lost+l, doubled+d, disordered+o
		}
		if lost == 0 || time.Now().After(until) {
			return lost, doubled, disordered
		}
	}
}

// tally compares a run's stored events with those that there must be. Two that tell of one ending are
// doubled, whatever their ids say: an agent's, or the deliberation's own.
func tally(stored []event, expected map[string]int) (lost, doubled, disordered int) {
	seen, of, before := map[string]bool{}, map[string]int{}, 0
	for i, kind := range kinds(stored) {
		number := numberOf(stored[i].ID)
		if number < before {
			disordered++
		}
		before = number
		about := "end"
		switch {
		case kind == "started":
			about = kind
		case strings.HasPrefix(kind, "agent_"):
			about = "agent " + agentOf(stored[i])
		}
		if seen[about] || expected == nil {
			doubled++
		}
		seen[about] = true
		of[kind]++
	}
	for kind, wanted := range expected {
		lost += max(0, wanted-of[kind])
	}
	return lost, doubled, disordered
}

func agentOf(e event) string {
	var data struct {
		AgentID string `json:"agent_id"`
	}
	_ = json.Unmarshal(e.Data, &data) // without one it is nobody's
	return data.AgentID
}

// numberOf is an event's place in its run: the id is <deliberation>/<run>/<number>-<event>. One without a
// number was told from outside, after the run.
func numberOf(id string) int {
	number, _, _ := strings.Cut(id[strings.LastIndex(id, "/")+1:], "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		return math.MaxInt
	}
	return n
}

// notInOutbox counts the deliberations whose events don't wait for NATS, and ends the waiting of the others.
func (f *field) notInOutbox() int {
	missing := 0
	for _, tr := range f.trials {
		outbox := tr.run.GetID() + "/outbox/" + tr.run.GetRunID()
		described, err := temporalClient.DescribeWorkflowExecution(f.t.Context(), outbox, "")
		if err != nil || described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			missing++
			continue
		}
		require.NoError(f.t, temporalClient.TerminateWorkflow(context.WithoutCancel(f.t.Context()), outbox, "", "the row is over"))
	}
	return missing
}
