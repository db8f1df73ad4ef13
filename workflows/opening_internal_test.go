package workflows

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

type fixed domain.Settings

func (f fixed) Settings() domain.Settings { return domain.Settings(f) }

// FuzzOpening starts with any input. An opening has either faults or a request, and stays the same when it is
// encoded and decoded.
func FuzzOpening(f *testing.F) {
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `7`, `{}`, `{"task_id":null}`, `{"agents":[{}]}`, `{"agents":[[]],"protocol":7}`,
		`{"constraints":{"metadata":{"a":1}},"x-a":1,"$schema":""}`, `{"agents":[{"id":"a","agent_id":"b"}]}`,
		`{"task_id":"T","task_description":"d","role":"R","constraints":{"story_id":"s","plan_id":"p"},` +
			`"agents":[{"id":"a","prompt_template":"{role} {{x}}"}],"vllm_url":"http://h:1","vllm_model":"m",` +
			`"protocol":{"temperature":1e-3,"quorum":1}}`,
		`{"task_id":"T","task_description":"d","role":"R","constraints":{"story_id":"s","plan_id":"p"},` +
			`"agents":[{"id":"a"},{"id":"b"}],"vllm_url":"http://h:1","vllm_model":"m","protocol":{"mode":"synthesize",` +
			`"chair_model":"c","chair_url":"http://c","review":"peer","max_llm_calls":99,"max_total_tokens":1e9},"proposals":[{"id":"p","text":"t","author":"a"},{"id":"q","text":"u"}]}`,
	} {
		f.Add([]byte(text))
	}
	environment := fixed{Clusters: []domain.ClusterState{{Name: "local"}}, Grace: time.Second, Events: true, Prices: domain.Prices{"m": {Prompt: 1}}}
	f.Fuzz(func(t *testing.T, text []byte) {
		opening := newOpening(environment, contract.RequestText(text))
		recorded, err := json.Marshal(opening)
		require.NoError(t, err)
		require.Less(t, len(recorded), 2_000_000)
		if opening.Request == nil {
			require.NotEmpty(t, opening.Faults)
			require.LessOrEqual(t, len(opening.Faults), domain.MaxFaults+1)
			for _, fault := range opening.Faults {
				require.NotContains(t, fault, "could not be read", "that is a panic")
				require.Less(t, len(fault), 1000)
				require.True(t, strings.Contains(fault, ": ") || strings.HasSuffix(fault, " more"), fault)
			}
			return
		}
		require.Empty(t, opening.Faults)
		var replayed Opening
		require.NoError(t, json.Unmarshal(recorded, &replayed))
		again, err := json.Marshal(replayed)
		require.NoError(t, err)
		require.Equal(t, string(recorded), string(again))
		require.Equal(t, opening.Request.Domain(), replayed.Request.Domain())
	})
}
