package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestOutbox_HasAnIDThatTemporalTakes(t *testing.T) {
	tests := map[string]string{
		"a short id":                  deliberationID,
		"an id with slashes":          "team/42/deliberation",
		"the longest id":              strings.Repeat("d", 1000),
		"the longest id in wide text": strings.Repeat("議", 333),
		"wide text cut anywhere":      "x" + strings.Repeat("議", 333),
	}
	for name, id := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: contract.DefaultTaskQueue})
			s.NATS.ReplyTo = away(4)
			var outbox string
			s.onOutboxID(func(id string) { outbox = id })

			_, err := s.runAndExpectNothingLeft(fakes.Council(1))

			require.NoError(t, err)
			require.LessOrEqual(t, len(outbox), 255, "the length of an id in SQL databases")
			require.True(t, utf8.ValidString(outbox))
			require.True(t, strings.HasSuffix(outbox, "/outbox/"+runID))
			begin, _, _ := strings.Cut(strings.TrimSuffix(outbox, "/outbox/"+runID), "~")
			require.True(t, strings.HasPrefix(id, begin))
		})
	}
}

func TestOutbox_PublishesWhatIsLeftInOrderAndInBatches(t *testing.T) {
	s := newStage(t)
	in := contract.OutboxInput{}
	for i := range 30 {
		in.Events = append(in.Events, contract.EventRecord{
			ID: domain.EventID(deliberationID, runID, i+1, domain.EventAgentCompleted), Kind: domain.EventAgentCompleted,
			DeliberationID: deliberationID, At: s.env.Now().UTC(), Data: json.RawMessage(`"` + strings.Repeat("x", 60<<10) + `"`),
		})
	}
	s.NATS.ReplyTo = away(8)

	s.env.ExecuteWorkflow(contract.DeliberationOutboxName, in)

	require.NoError(t, s.env.GetWorkflowError())
	require.Equal(t, in.Events, s.NATS.Stored)
	require.Len(t, s.NATS.Inputs, 8+2, "it keeps trying, and then needs two batches")
	for _, batch := range s.NATS.Inputs {
		require.Less(t, len(encode(t, batch)), payload)
	}
}

func TestOutbox_HasNothingToDoWithoutEvents(t *testing.T) {
	s := newStage(t)
	s.env.ExecuteWorkflow(contract.DeliberationOutboxName, contract.OutboxInput{})
	require.NoError(t, s.env.GetWorkflowError())
	require.Empty(t, s.NATS.Inputs)
}
