package nats_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The golden files have what is stored, byte for byte but for the indentation. A change of one of these files breaks
// consumers, so it needs another version of the event's type.
func TestGolden_MessagesAreWhatConsumersKnow(t *testing.T) {
	_, publisher, js := started(t)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ALL", Subjects: []string{"deliberation.>"}})
	require.NoError(t, err)
	cases := payloads()
	for i, c := range cases {
		require.NoError(t, publish(t.Context(), publisher, []domain.Event{c.event(t, i+1)}))
	}

	messages := stored(t, js, "ALL")
	require.Len(t, messages, len(cases))
	kinds := map[domain.EventKind]bool{}
	for i, c := range cases {
		requireGolden(t, c.file, messages[i].Data)
		kinds[c.kind] = true
	}
	for _, kind := range []domain.EventKind{
		domain.EventStarted, domain.EventStreamStart, domain.EventAgentCompleted, domain.EventAgentFailed,
		domain.EventPhaseStarted, domain.EventReviewed, domain.EventRevised, domain.EventCompleted, domain.EventFailed, domain.EventCancelled,
	} {
		require.True(t, kinds[kind], "no golden file of %s", kind)
	}
}

func requireGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, got, "", "  "))
	indented.WriteByte('\n')
	path := filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.WriteFile(path, indented.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), indented.String(), file)
}

// payload is the data of an event, encoded from the structs that the workflow uses.
type payload struct {
	file string
	kind domain.EventKind
	data any
}

func (p payload) event(t *testing.T, number int) domain.Event {
	t.Helper()
	data, err := json.Marshal(p.data)
	require.NoError(t, err)
	record := contract.EventRecord{
		ID: domain.EventID("plan-7", runID, number, p.kind), Kind: p.kind, DeliberationID: "plan-7",
		AgentID: "qa-1", At: clock.Add(time.Duration(number) * time.Second), Data: data,
	}
	return domain.Event{
		ID: record.ID, Kind: record.Kind, DeliberationID: record.DeliberationID, AgentID: record.AgentID, At: record.At,
		Data: record.Data, ShortForm: record.ShortForm().Data,
	}
}

const runID = "0199f1c2-7b1e-7c3a-9d2f-5e6a7b8c9d0e"

var clock = time.Date(2026, 11, 1, 12, 0, 0, 123456789, time.UTC)

func payloads() []payload {
	return []payload{
		{"started.json", domain.EventStarted, contract.StartedEvent{
			DeliberationID: "plan-7", RunID: runID, TaskID: "task-1", Role: "QA", StoryID: "story-1", PlanID: "plan-1",
			Status: domain.StatusRunning, StartedAt: clock, Agents: []contract.EventAgent{
				{AgentID: "qa-1", Role: "QA", Model: "small"}, {AgentID: "dev.1", Role: "DEV", Model: "large"},
			},
		}},
		{"stream_start.json", domain.EventStreamStart, contract.StreamStartEvent{
			TaskDescription: "Write <tests> & say \"why\"", Role: "QA", Status: "streaming", Model: "small",
			DeliberationID: "plan-7", AgentID: "qa-1",
		}},
		{"agent_completed.json", domain.EventAgentCompleted, contract.AgentCompletedEvent{
			DeliberationID: "plan-7", TaskID: "task-1", AgentProposal: proposal(),
		}},
		{"agent_failed.json", domain.EventAgentFailed, contract.AgentFailedEvent{
			DeliberationID: "plan-7", TaskID: "task-1", AgentID: "dev.1", Role: "DEV",
			ErrorType: domain.LostRepeatedly, Message: "the runner died three times", Attempts: 3,
		}},
		{"completed.json", domain.EventCompleted, result()},
		{"completed_scoreboard.json", domain.EventCompleted, contract.ScoreboardEvent{
			DeliberationID: "plan-7", TaskID: "task-1", Status: domain.StatusCompleted, RankingBasis: domain.RankedBySelf,
			Degraded: true, Scores: []contract.EventScore{{Rank: 1, AgentID: "qa-1", Score: 0.75}},
			TotalAgents: 2, CompletedAgents: 1, FailedAgents: 1, AverageScore: 0.75, ExecutionTimeMS: 2500,
			ResultRef: contract.ResultRef{WorkflowID: "plan-7", RunID: runID},
		}},
		{"failed.json", domain.EventFailed, ended(domain.StatusFailed, domain.DeliberationFailed, "no agent completed")},
		{"cancelled.json", domain.EventCancelled, ended(domain.StatusCancelled, domain.Cancelled, "cancelled by its caller")},
		{"phase_started.json", domain.EventPhaseStarted, contract.PhaseStartedEvent{
			DeliberationID: "plan-7", TaskID: "task-1", Phase: domain.PeerReview, Round: 1, Turns: 3,
		}},
		{"reviewed.json", domain.EventReviewed, contract.ReviewedEvent{
			DeliberationID: "plan-7", TaskID: "task-1", Candidates: candidates(), ReviewRecord: contract.ReviewRecord{
				Round: 1, ReviewerID: "ops-1", Order: []string{"P2", "P1"}, Ranking: []string{"P1", "P2"}, Notes: []contract.NoteRecord{
					{Of: "P2", Marks: marks(2), Score: 0.25, Critique: "It is <slow>.", Blocking: []string{"It loses data."}},
					{Of: "P1", Marks: marks(4), Score: 0.75, Critique: "Gut."},
				},
			},
		}},
		{"reviewed_failed.json", domain.EventReviewed, contract.ReviewedEvent{
			DeliberationID: "plan-7", TaskID: "task-1", Candidates: candidates(), ReviewRecord: contract.ReviewRecord{
				Round: 1, ReviewerID: "ops-1", Order: []string{"P2", "P1"}, ErrorType: domain.InvalidOutput, Message: "1 of 2 proposals are reviewed",
			},
		}},
		{"revised.json", domain.EventRevised, contract.RevisedEvent{
			DeliberationID: "plan-7", TaskID: "task-1", AgentID: "dev.1", Round: 1, Proposal: "Write to two disks.", Reasoning: "It loses nothing.",
		}},
		{"revised_failed.json", domain.EventRevised, contract.RevisedEvent{
			DeliberationID: "plan-7", TaskID: "task-1", AgentID: "dev.1", Round: 1, ErrorType: domain.ModelTimeout, Message: "no answer in 60 s",
		}},
	}
}

func candidates() []contract.Candidate {
	return []contract.Candidate{{ID: "P2", AgentID: "dev.1"}, {ID: "P1", AgentID: "qa-1"}}
}

func marks(mark int) map[string]int {
	return map[string]int{"accuracy": mark, "completeness": mark, "clarity": mark, "feasibility": mark}
}

func ended(status domain.DeliberationStatus, kind domain.FailureKind, message string) contract.EndedEvent {
	return contract.EndedEvent{
		DeliberationID: "plan-7", TaskID: "task-1", Status: status, ErrorType: kind, Message: message,
		Failures: failures(), ExecutionTimeMS: 2500,
	}
}

func failures() []contract.AgentFailure {
	return []contract.AgentFailure{{
		AgentID: "dev.1", ErrorType: domain.LostRepeatedly, Message: "the runner died three times", Attempts: 3,
	}}
}

func proposal() contract.AgentProposal {
	return contract.AgentProposal{
		AgentID: "qa-1", Role: "QA", Model: "small", Proposal: "Prüfe zuerst.", Reasoning: "It is\ncheap.",
		Score: 0.75, Attempts: 2, DurationMS: 1500, Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 20},
		Metadata: map[string]string{"finish_reason": "stop"},
	}
}

func result() contract.Result {
	best := contract.AgentResult{Rank: 1, AgentProposal: proposal()}
	return contract.Result{
		DeliberationID: "plan-7", TaskID: "task-1", Status: domain.StatusCompleted, RankingBasis: domain.RankedBySelf,
		Degraded: true, BestResult: &best, Results: []contract.AgentResult{best}, Failures: failures(),
		TotalAgents: 2, CompletedAgents: 1, FailedAgents: 1, AverageScore: 0.75, HasFailures: true,
		StopReason: domain.StopComplete,
		Usage:      contract.TotalUsage{PromptTokens: 30, CompletionTokens: 40, LLMCalls: 5, WastedTokens: 20},
		StartedAt:  clock, CompletedAt: clock.Add(2500 * time.Millisecond), ExecutionTimeMS: 2500,
	}
}
