package domain_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

// specOf is a legal request with this many agents: agent-1, agent-2, ….
func specOf(agents int) domain.RequestSpec {
	spec := domain.RequestSpec{
		TaskID: "T-42", TaskDescription: "Add rate limiting to the login API", Role: "DEV",
		Constraints: domain.ConstraintsSpec{
			StoryID: "S-7", PlanID: "P-3", TimeoutSeconds: 300, MaxRetries: 3, QueueTimeoutSeconds: 3600,
			Metadata: map[string]string{"team": "identity"},
		},
		VLLMURL: "http://vllm:8000", VLLMModel: "qwen",
		Protocol: domain.ProtocolSpec{Review: domain.ReviewNone, Rounds: 1, Temperature: 0.7, MaxTokens: 2048},
	}
	for i := range agents {
		spec.Agents = append(spec.Agents, domain.AgentSpec{AgentID: fmt.Sprintf("agent-%d", i+1), Role: "DEV", Model: "qwen"})
	}
	return spec
}

func requestOf(t require.TestingT, spec domain.RequestSpec) domain.DeliberationRequest {
	request, err := domain.NewDeliberationRequest(spec)
	require.NoError(t, err)
	return request
}

// councilOf is a legal council that was asked for its proposals, with the first turn of each agent.
func councilOf(t require.TestingT, agents int) (domain.Council, []domain.Turn) {
	return asked(requestOf(t, specOf(agents)), domain.RunKey{WorkflowID: "w", OriginalRunID: "r"})
}

// asked is the request's council with its proposals assigned.
func asked(request domain.DeliberationRequest, run domain.RunKey) (domain.Council, []domain.Turn) {
	council := domain.NewCouncil(request, run)
	next := council.Plan().Next
	turns := make([]domain.Turn, 0, len(next))
	for _, assignment := range next {
		turns = append(turns, council.Turn(assignment))
	}
	return council.Assign(next), turns
}

// take is Council.Take for tests that don't look at the decision.
func take(council domain.Council, turn domain.Turn, outcome domain.Outcome) domain.Council {
	council, _ = council.Take(turn, outcome)
	return council
}

func agentOf(t require.TestingT, id string) domain.AgentConfig {
	spec := specOf(1)
	spec.Agents[0].AgentID = id
	return requestOf(t, spec).Agents()[0]
}

func completed(proposal string, score float64, tokens int) domain.Outcome {
	return domain.Outcome{
		Kind: domain.OutcomeCompleted, Answer: domain.RestoredAnswer(proposal, "because", score),
		Usage: domain.Usage{CompletionTokens: tokens, Calls: 1},
	}
}

func failed(kind domain.FailureKind, retryable bool, tokens int) domain.Outcome {
	return domain.Outcome{
		Kind: domain.OutcomeFailed, Failure: domain.NewTurnFailure(kind, "it broke", retryable),
		Usage: domain.Usage{CompletionTokens: tokens, Calls: 1},
	}
}

// decodeJSON decodes as an adapter does, but repairs nothing.
func decodeJSON(text string) (domain.Decoded, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	var fields map[string]any
	if decoder.Decode(&fields) != nil {
		return domain.Decoded{}, false
	}
	return domain.Decoded{Object: objectOf(fields), Size: int(decoder.InputOffset())}, true
}

func objectOf(fields map[string]any) domain.Object {
	object := domain.Object{}
	for name, value := range fields {
		object[strings.ToLower(name)] = valueOf(value)
	}
	return object
}

func valueOf(value any) domain.Value {
	text, _ := json.Marshal(value)
	read := domain.Value{Text: string(text)}
	switch value := value.(type) {
	case string:
		read.Kind, read.Text = domain.ValueText, value
	case float64:
		read.Kind = domain.ValueNumber
	case []any:
		read.Kind = domain.ValueList
		for _, item := range value {
			read.Items = append(read.Items, valueOf(item))
		}
	case map[string]any:
		read.Kind, read.Fields = domain.ValueObject, objectOf(value)
	case nil:
		read.Text = ""
	}
	return read
}

// anyText generates texts that may break encoders: characters that JSON escapes, wide ones, and invalid bytes.
func anyText() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			"<", ">", "&", "\"", "\\", "\x00", "\x1f", "\x7f", "\b", "\f", "\n", "\r", "\t", "議論", "🎯",
			"\u2028", "\u2029", "\ufeff", "\ufffd", "\xff", "\xc3", "\xed\xa0\x80", "\xf0\x9f", "{", "}", "plain",
		}),
		rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes")) }),
	)
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
	})
}

// withoutBraces generates texts without a placeholder.
func withoutBraces() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.NewReplacer("{", "(", "}", ")").Replace(anyText().Draw(t, "text"))
	})
}

// hasFault checks that exactly this line is among the faults.
func hasFault(t *testing.T, err error, line string) {
	t.Helper()
	require.Error(t, err)
	var faults domain.Faults
	require.ErrorAs(t, err, &faults)
	lines := make([]string, 0, len(faults))
	for _, fault := range faults {
		lines = append(lines, fault.String())
	}
	require.Contains(t, lines, line)
}
