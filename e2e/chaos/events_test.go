//go:build integration

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"deliberation.io/deliberation/e2e/stack"
)

// countEvents counts the subjects' events that are missing where they must be, doubled, or out of order.
func (l *lab) countEvents() (lost, doubled, disordered int) {
	l.t.Helper()
	if l.eventsGo == inOutbox {
		return l.missingInOutbox(), 0, 0
	}
	js := stack.JetStream(l.t, stack.At.NATSURL)
	for until := time.Now().Add(stack.Patience); ; time.Sleep(time.Second) {
		lost, doubled, disordered = 0, 0, 0
		for _, s := range l.subjects {
			expected := s.ended.events
			if l.eventsGo == nowhere {
				expected = nil
			}
			stored := stack.StoredEvents(l.t, js, s.run)
			if s.before != nil {
				stored = append(stack.StoredEvents(l.t, js, s.before), stored...)
			}
			itsLost, itsDoubled, itsDisordered := tally(stored, expected)
			lost, doubled, disordered = lost+itsLost, doubled+itsDoubled, disordered+itsDisordered
		}
		if lost == 0 || time.Now().After(until) {
			return lost, doubled, disordered
		}
	}
}

// tally compares a run's stored events with the expected ones. Two events about one end, of an agent or of the
// deliberation, are doubled, whatever their ids are.
func tally(stored []stack.Event, expected map[string]int) (lost, doubled, disordered int) {
	seen, of, before := map[string]bool{}, map[string]int{}, 0
	for i, kind := range stack.Kinds(stored) {
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
			about = "agent " + partOf(stored[i])
		case kind == "phase_started" || kind == "reviewed" || kind == "revised":
			about = kind + " " + partOf(stored[i])
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

// partOf names the part of a deliberation that an event is about: whose it is, in which phase and round.
func partOf(e stack.Event) string {
	var data struct {
		AgentID    string `json:"agent_id"`
		ReviewerID string `json:"reviewer_id"`
		Phase      string `json:"phase"`
		Round      int    `json:"round"`
	}
	_ = json.Unmarshal(e.Data, &data) // the event of a deliberation has none of these
	return fmt.Sprint(data.AgentID, data.ReviewerID, data.Phase, data.Round)
}

// numberOf is an event's place in its run: its id is <deliberation>/<run>/<number>-<event>. An event without a
// number was announced by a worker, after the run.
func numberOf(id string) int {
	number, _, _ := strings.Cut(id[strings.LastIndex(id, "/")+1:], "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		return math.MaxInt
	}
	return n
}

// missingInOutbox counts the subjects whose outbox doesn't wait for NATS, and ends the other outboxes.
func (l *lab) missingInOutbox() int {
	missing := 0
	for _, s := range l.subjects {
		outbox := s.run.GetID() + "/outbox/" + s.run.GetRunID()
		described, err := stack.Temporal.DescribeWorkflowExecution(l.t.Context(), outbox, "")
		if err != nil || described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			missing++
			continue
		}
		require.NoError(l.t, stack.Temporal.TerminateWorkflow(context.WithoutCancel(l.t.Context()), outbox, "", "the experiment is over"))
	}
	return missing
}
