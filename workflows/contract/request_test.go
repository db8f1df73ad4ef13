package contract_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func quoted(text string) string { return strconv.Quote(text) }

// faultsOf are the lines that a request is refused with.
func faultsOf(t testing.TB, text []byte) []string {
	t.Helper()
	_, err := contract.RequestText(text).Parse()
	var faults domain.Faults
	require.ErrorAs(t, err, &faults)
	lines := make([]string, 0, len(faults))
	for _, fault := range faults {
		lines = append(lines, fault.String())
	}
	return lines
}

func TestRequest_EachRuleHasItsMessage(t *testing.T) {
	long := quoted(strings.Repeat("x", 201))
	escaped := quoted(strings.Repeat("<", 34)) // 6 bytes each
	tests := map[string]struct{ path, value, fault string }{
		"task_id is needed":                 {"task_id", ``, `task_id: cannot be empty`},
		"an empty task_id is none":          {"task_id", `""`, `task_id: cannot be empty`},
		"a blank task_id is none":           {"task_id", `" \t"`, `task_id: cannot be empty`},
		"a null task_id is no text":         {"task_id", `null`, `task_id: must be a string, got null`},
		"a number is no task_id":            {"task_id", `42`, `task_id: must be a string, got 42`},
		"a long task_id":                    {"task_id", long, `task_id: must be at most 200 bytes in JSON, got 201`},
		"a task_id that is long in JSON":    {"task_id", escaped, `task_id: must be at most 200 bytes in JSON, got 204`},
		"task_description is needed":        {"task_description", ``, `task_description: cannot be empty`},
		"a blank description is none":       {"task_description", `"  "`, `task_description: cannot be empty`},
		"a long description":                {"task_description", quoted(strings.Repeat("x", 256<<10+1)), `task_description: must be at most 262144 bytes in JSON, got 262145`},
		"role is needed":                    {"role", ``, `role: cannot be empty`},
		"a list is no role":                 {"role", `["DEV"]`, `role: must be a string, got a list`},
		"a long role":                       {"role", long, `role: must be at most 200 bytes in JSON, got 201`},
		"null constraints":                  {"constraints", `null`, `constraints: must be an object, got null`},
		"text isn't constraints":            {"constraints", `"none"`, `constraints: must be an object, got "none"`},
		"story_id is needed":                {"constraints.story_id", ``, `constraints.story_id: cannot be empty`},
		"plan_id is needed":                 {"constraints.plan_id", ``, `constraints.plan_id: cannot be empty`},
		"an empty plan_id is none":          {"constraints.plan_id", `""`, `constraints.plan_id: cannot be empty`},
		"a timeout of 0 is explicit":        {"constraints.timeout_seconds", `0`, `constraints.timeout_seconds: must be 1..86400, got 0`},
		"a negative timeout":                {"constraints.timeout_seconds", `-1`, `constraints.timeout_seconds: must be 1..86400, got -1`},
		"a timeout of over a day":           {"constraints.timeout_seconds", `86401`, `constraints.timeout_seconds: must be 1..86400, got 86401`},
		"a timeout as text":                 {"constraints.timeout_seconds", `"300"`, `constraints.timeout_seconds: must be a whole number, got "300"`},
		"a timeout with a fraction":         {"constraints.timeout_seconds", `1.5`, `constraints.timeout_seconds: must be a whole number, got 1.5`},
		"too many retries":                  {"constraints.max_retries", `21`, `constraints.max_retries: must be 0..20, got 21`},
		"negative retries":                  {"constraints.max_retries", `-1`, `constraints.max_retries: must be 0..20, got -1`},
		"a queue timeout of 0":              {"constraints.queue_timeout_seconds", `0`, `constraints.queue_timeout_seconds: must be 1..86400, got 0`},
		"an unknown field, with suggestion": {"constraints.max_retry", `3`, `constraints.max_retry: unknown field; did you mean max_retries?`},
		"an unknown field, like no other":   {"constraints.colour", `"red"`, `constraints.colour: unknown field`},
		"an unknown field at the top":       {"vllm_modle", `"qwen"`, `vllm_modle: unknown field; did you mean vllm_model?`},
		"a field in capitals":               {"Role", `"DEV"`, `Role: unknown field; did you mean role?`},
		"an unknown field of an agent":      {"agents.0.promt_template", `"x"`, `agents[0].promt_template: unknown field; did you mean prompt_template?`},
		"an unknown field of the protocol":  {"protocol.quroum", `1`, `protocol.quroum: unknown field; did you mean quorum?`},
		"metadata must be text":             {"constraints.metadata", `{"team":7}`, `constraints.metadata.team: must be a string, got 7`},
		"metadata is an object":             {"constraints.metadata", `[]`, `constraints.metadata: must be an object of strings, got a list`},
		"a large pair of metadata":          {"constraints.metadata", `{"k":` + quoted(strings.Repeat("x", 1024)) + `}`, `constraints.metadata["k"]: must be at most 1024 bytes in JSON with its key, got 1025`},
		"too many pairs of metadata":        {"constraints.metadata", pairs(33), `constraints.metadata: must have at most 32 pairs, got 33`},
		"agents are needed":                 {"agents", ``, `agents: needs at least one agent`},
		"an empty council":                  {"agents", `[]`, `agents: needs at least one agent`},
		"null agents":                       {"agents", `null`, `agents: must be a list, got null`},
		"an object is no list of agents":    {"agents", `{}`, `agents: must be a list, got an object`},
		"65 agents":                         {"agents", agentsJSON(65), `agents: must be at most 64, got 65`},
		"text is no agent":                  {"agents.1", `"agent-2"`, `agents[1]: must be an object, got "agent-2"`},
		"an agent needs an id":              {"agents.1.agent_id", ``, `agents[1].agent_id: cannot be empty`},
		"an agent's id twice":               {"agents.1.agent_id", `"agent-1"`, `agents[1].agent_id: duplicate of agents[0]`},
		"a number is no agent id":           {"agents.1.agent_id", `2`, `agents[1].agent_id: must be a string, got 2`},
		"id and agent_id":                   {"agents.1.id", `"agent-3"`, `agents[1].id: give agent_id or id, not both`},
		"an agent's empty role":             {"agents.1.role", `""`, `agents[1].role: cannot be empty`},
		"an agent's empty template":         {"agents.1.prompt_template", `""`, `agents[1].prompt_template: cannot be empty; leave it out for the persona of the role`},
		"a long template":                   {"agents.1.prompt_template", quoted(strings.Repeat("x", 16<<10+1)), `agents[1].prompt_template: must be at most 16384 bytes in JSON, got 16385`},
		"an unknown placeholder":            {"agents.1.prompt_template", `"{secret}"`, `agents[1].prompt_template: unknown placeholder "{secret}"; use {task_description}, {role}, {agent_id}, {story_id}, {plan_id}, or {{ and }} for braces`},
		"vllm_url is needed":                {"vllm_url", ``, `vllm_url: cannot be empty`},
		"a relative URL":                    {"vllm_url", `"/v1"`, `vllm_url: must be an absolute http or https URL, got "/v1"`},
		"another scheme":                    {"vllm_url", `"ftp://vllm"`, `vllm_url: must be an absolute http or https URL, got "ftp://vllm"`},
		"a URL with a password":             {"vllm_url", `"http://me:secret@vllm"`, `vllm_url: must not carry a user or password`},
		"a long URL":                        {"vllm_url", quoted("http://vllm/" + strings.Repeat("x", 2037)), `vllm_url: must be at most 2048 bytes in JSON, got 2049`},
		"vllm_model is needed":              {"vllm_model", ``, `vllm_model: cannot be empty`},
		"another way of review":             {"protocol.review", `"ranking"`, `protocol.review: must be "none", "peer" or "judge", got "ranking"`},
		"an empty way of review":            {"protocol.review", `""`, `protocol.review: must be "none", "peer" or "judge", got ""`},
		"too many rounds":                   {"protocol.rounds", `4`, `protocol.rounds: must be 0..3, got 4`},
		"a quorum beyond the council":       {"protocol.quorum", `3`, `protocol.quorum: must be 0..2, got 3`},
		"too hot":                           {"protocol.temperature", `2.5`, `protocol.temperature: must be 0..2, got 2.5`},
		"a temperature as text":             {"protocol.temperature", `"hot"`, `protocol.temperature: must be a number, got "hot"`},
		"no tokens":                         {"protocol.max_tokens", `0`, `protocol.max_tokens: must be 1..32768, got 0`},
		"too many tokens":                   {"protocol.max_tokens", `32769`, `protocol.max_tokens: must be 1..32768, got 32769`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []string{test.fault}, faultsOf(t, fakes.EditedRequest(t, map[string]string{test.path: test.value})))
		})
	}
}

func pairs(n int) string {
	lines := make([]string, 0, n)
	for i := range n {
		lines = append(lines, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return "{" + strings.Join(lines, ",") + "}"
}

func agentsJSON(n int) string {
	lines := make([]string, 0, n)
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"agent_id":"agent-%d"}`, i+1))
	}
	return "[" + strings.Join(lines, ",") + "]"
}

func TestRequest_TakesWhatTheRulesAllow(t *testing.T) {
	tests := map[string]map[string]string{
		"as little as possible":       {},
		"64 agents":                   {"agents": agentsJSON(64)},
		"id for agent_id":             {"agents.0.agent_id": "", "agents.0.id": `"agent-1"`},
		"no retries":                  {"constraints.max_retries": `0`},
		"the longest timeout":         {"constraints.timeout_seconds": `86400`},
		"annotations everywhere":      {"$schema": `"s"`, "schema_version": `1`, "x-a": `null`, "agents.0.x-b": `[]`, "constraints.x-c": `{}`},
		"32 pairs of metadata":        {"constraints.metadata": pairs(32)},
		"the largest quorum":          {"protocol.quorum": `2`},
		"a temperature of 0":          {"protocol.temperature": `0`},
		"a template with each name":   {"agents.0.prompt_template": `"{task_description} {role} {agent_id} {story_id} {plan_id} {{}}"`},
		"the longest description":     {"task_description": quoted(strings.Repeat("x", 256<<10))},
		"a URL with a base":           {"vllm_url": `"https://models.example/openai/v1"`},
		"a task_id of 200 wide bytes": {"task_id": quoted(strings.Repeat("議", 66))},
	}
	for name, edits := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := contract.RequestText(fakes.EditedRequest(t, edits)).Parse()
			require.NoError(t, err)
		})
	}
}

func TestRequest_NamesAllFaultsTogether(t *testing.T) {
	text := fakes.EditedRequest(t, map[string]string{
		"task_id": `""`, "constraints.timeout_seconds": `-1`, "constraints.max_retry": `1`,
		"agents.1.agent_id": `"agent-1"`, "agents.0.model": `5`, "vllm_url": `""`, "protocol.rounds": `9`,
	})
	require.ElementsMatch(t, []string{
		"task_id: cannot be empty", "constraints.timeout_seconds: must be 1..86400, got -1",
		"constraints.max_retry: unknown field; did you mean max_retries?", "agents[0].model: must be a string, got 5",
		"agents[1].agent_id: duplicate of agents[0]", "vllm_url: cannot be empty", "protocol.rounds: must be 0..3, got 9",
	}, faultsOf(t, text))
}

func TestRequest_NamesAFaultWhereItIs(t *testing.T) {
	text := fakes.EditedRequest(t, map[string]string{
		"agents": agentsJSON(64), "role": "", "vllm_model": `""`, "protocol.quorum": `-1`,
	})
	require.ElementsMatch(t, []string{
		"role: cannot be empty", "vllm_model: cannot be empty", "protocol.quorum: must be 0..64, got -1",
	}, faultsOf(t, text), "not again at each agent that inherits it")
	text = fakes.EditedRequest(t, map[string]string{"agents.0.agent_id": "", "agents.0.id": `5`})
	require.Equal(t, []string{"agents[0].id: must be a string, got 5"}, faultsOf(t, text))
	text = fakes.EditedRequest(t, map[string]string{"role": "", "agents.1.role": `" "`})
	require.Equal(t, []string{"role: cannot be empty", "agents[1].role: cannot be empty"}, faultsOf(t, text))
}

func TestRequest_QuotesLittleOfAValue(t *testing.T) {
	secret := strings.Repeat("s", 5000)
	for path, value := range map[string]string{
		"constraints.timeout_seconds": quoted(secret), "vllm_url": quoted(secret), "protocol.review": quoted(secret),
		secret: `1`, "protocol.max_tokens": strings.Repeat("9", 5000),
	} {
		for _, line := range faultsOf(t, fakes.EditedRequest(t, map[string]string{path: value})) {
			require.Less(t, len(line), 250, line)
		}
	}
}

func TestRequest_ShowsItsDefaultsWhenNormalised(t *testing.T) {
	parsed, err := contract.RequestText([]byte(fakes.LegalRequest)).Parse()
	require.NoError(t, err)
	require.JSONEq(t, `{"task_id":"T-42","task_description":"Add rate limiting to the login API","role":"DEV",
	 "constraints":{"story_id":"S-7","plan_id":"P-3","timeout_seconds":300,"max_retries":3,"queue_timeout_seconds":3600},
	 "agents":[{"agent_id":"agent-1","role":"DEV","model":"qwen"},{"agent_id":"agent-2","role":"DEV","model":"qwen"}],
	 "vllm_url":"http://vllm:8000","vllm_model":"qwen",
	 "protocol":{"mode":"rank","review":"none","rounds":1,"quorum":0,"temperature":0.7,"max_tokens":2048}}`, encode(t, parsed.Normalised))
}

func TestRequest_FromGoIsTheSameAsItsText(t *testing.T) {
	ten, none := 10, 0
	request := fakes.Council(2)
	request.Constraints.MaxRetries, request.Constraints.TimeoutSeconds = &none, &ten
	request.Constraints.Metadata = map[string]string{"team": "identity"}
	request.Protocol = &contract.Protocol{Quorum: &none}
	fromGo, err := request.Parse()
	require.NoError(t, err)
	fromText, err := contract.RequestText([]byte(encode(t, request))).Parse()
	require.NoError(t, err)
	require.Equal(t, fromText.Normalised, fromGo.Normalised)
	require.Equal(t, fromText.Domain, fromGo.Domain)
	require.Contains(t, encode(t, fromGo.Normalised), `"timeout_seconds":10,"max_retries":0`)
}

func encode(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
