package fakes

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/workflows/contract"
)

// LegalRequest is a request that breaks no rule.
const LegalRequest = `{"task_id":"T-42","task_description":"Add rate limiting to the login API","role":"DEV",
 "constraints":{"story_id":"S-7","plan_id":"P-3"},
 "agents":[{"agent_id":"agent-1"},{"agent_id":"agent-2"}],
 "vllm_url":"http://vllm:8000","vllm_model":"qwen"}`

// EditedRequest is [LegalRequest] with values set at paths such as agents.1.role; an empty value removes
// the field.
func EditedRequest(t testing.TB, edits map[string]string) []byte {
	t.Helper()
	var root any
	require.NoError(t, json.Unmarshal([]byte(LegalRequest), &root))
	for path, value := range edits {
		put(t, root, strings.Split(path, "."), value)
	}
	text, err := json.Marshal(root)
	require.NoError(t, err)
	return text
}

func put(t testing.TB, at any, path []string, value string) {
	t.Helper()
	if list, isList := at.([]any); isList {
		i, err := strconv.Atoi(path[0])
		require.NoError(t, err)
		if len(path) > 1 {
			put(t, list[i], path[1:], value)
			return
		}
		list[i] = json.RawMessage(value)
		return
	}
	object, isObject := at.(map[string]any)
	require.True(t, isObject)
	switch {
	case len(path) > 1:
		if object[path[0]] == nil {
			object[path[0]] = map[string]any{}
		}
		put(t, object[path[0]], path[1:], value)
	case value == "":
		delete(object, path[0])
	default:
		object[path[0]] = json.RawMessage(value)
	}
}

// Council is a legal request with this many agents: agent-1, agent-2, ….
func Council(agents int) contract.Request {
	request := contract.Request{
		TaskID: "T-42", TaskDescription: "Add rate limiting to the login API", Role: "DEV",
		Constraints: contract.Constraints{StoryID: "S-7", PlanID: "P-3"},
		VLLMURL:     "http://vllm:8000", VLLMModel: "qwen",
	}
	for i := range agents {
		request.Agents = append(request.Agents, contract.Agent{AgentID: fmt.Sprintf("agent-%d", i+1)})
	}
	return request
}
