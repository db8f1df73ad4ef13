package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

const good = `{"task_id":"T-1","task_description":"d","role":"DEV","constraints":{"story_id":"s","plan_id":"p"},` +
	`"agents":[{"agent_id":"a"}],"vllm_url":"http://model:8000","vllm_model":"m"}`

// with is the good request with one piece of its text replaced.
func with(piece, replacement string) string { return strings.Replace(good, piece, replacement, 1) }

// badRequests are requests, and a fault that each must name. They are no variable, since every script starts this program.
func badRequests() map[string]struct{ text, fault string } {
	return map[string]struct{ text, fault string }{
		"null":                    {"null", "request: must be an object, got null"},
		"a list":                  {"[]", "request: must be an object, got a list"},
		"a string":                {`"x"`, `request: must be an object, got "x"`},
		"no JSON":                 {"{", "request: is not JSON: line 1, column 2: it ends too early"},
		"a role twice":            {with(`"role":"DEV"`, `"role":"DEV","role":"QA"`), "role: is given more than once"},
		"no task id":              {with(`"T-1"`, `""`), "task_id: cannot be empty"},
		"a blank task id":         {with(`"T-1"`, `" "`), "task_id: cannot be empty"},
		"a task id of null":       {with(`"T-1"`, `null`), "task_id: must be a string, got null"},
		"no description":          {with(`"task_description":"d",`, ""), "task_description: cannot be empty"},
		"no role":                 {with(`"role":"DEV",`, ""), "role: cannot be empty"},
		"no story":                {with(`"story_id":"s",`, ""), "constraints.story_id: cannot be empty"},
		"no plan":                 {with(`"p"`, `""`), "constraints.plan_id: cannot be empty"},
		"no agents":               {with(`{"agent_id":"a"}`, ""), "agents: needs at least one agent"},
		"no agent id":             {with(`"agent_id":"a"`, ""), "agents[0].agent_id: cannot be empty"},
		"the same agent twice":    {with(`{"agent_id":"a"}`, `{"agent_id":"a"},{"id":"a"}`), "agents[1].agent_id: duplicate of agents[0]"},
		"no URL":                  {with(`http://model:8000`, ""), "vllm_url: cannot be empty"},
		"a relative URL":          {with(`http://model:8000`, "/v1"), `vllm_url: must be an absolute http or https URL, got "/v1"`},
		"a password in the URL":   {with(`http://`, "http://u:p@"), "vllm_url: must not carry a user or password"},
		"no model":                {with(`"vllm_model":"m"`, `"vllm_model":""`), "vllm_model: cannot be empty"},
		"a negative timeout":      {with(`"plan_id":"p"`, `"plan_id":"p","timeout_seconds":-1`), "constraints.timeout_seconds: must be 1..86400, got -1"},
		"too many retries":        {with(`"plan_id":"p"`, `"plan_id":"p","max_retries":21`), "constraints.max_retries: must be 0..20, got 21"},
		"an unknown field":        {with(`"plan_id":"p"`, `"plan_id":"p","max_retry":1`), "constraints.max_retry: unknown field; did you mean max_retries?"},
		"an unknown placeholder":  {with(`"agent_id":"a"`, `"agent_id":"a","prompt_template":"{x}"`), "agents[0].prompt_template: "},
		"a quorum that can't be":  {with(`"vllm_model":"m"`, `"vllm_model":"m","protocol":{"quorum":2}`), "protocol.quorum: must be 0..1, got 2"},
		"a review by nobody":      {with(`"vllm_model":"m"`, `"vllm_model":"m","protocol":{"review":"peer"}`), `protocol.review: "peer" needs at least two agents`},
		"a description too large": {with(`"d"`, `"`+strings.Repeat("<", 50_000)+`"`), "task_description: must be at most 262144 bytes in JSON, got 300000"},
		"a request too large": {
			with(`{"agent_id":"a"}`, manyAgents(40)), "request: must be at most 524288 bytes in JSON, got ",
		},
	}
}

func manyAgents(count int) string {
	agents := make([]string, 0, count)
	for i := range count {
		agents = append(agents, fmt.Sprintf(`{"agent_id":"a%d","prompt_template":%q}`, i, strings.Repeat("x", 16_000)))
	}
	return strings.Join(agents, ",")
}

func TestABadRequestIsRefusedInTheWordsOfTheWorkflow(t *testing.T) {
	for name, bad := range badRequests() {
		t.Run(name, func(t *testing.T) {
			_, err := contract.RequestText([]byte(bad.text)).Parse()
			require.ErrorAs(t, err, new(domain.Faults))

			code, stdout, stderr := called(t, bad.text, "run", "-f", "-", "--detach")
			require.Equal(t, exitUsage, code, stderr)
			var answer submitted
			require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
			require.Equal(t, domain.StatusFailed, answer.Status)
			require.Empty(t, answer.RunID)
			require.Equal(t, err.Error(), answer.Message)
			require.Contains(t, answer.Message, bad.fault)

			code, stdout, stderr = called(t, bad.text, "run", "-f", "-")
			require.Equal(t, exitUsage, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "\n  "+bad.fault)
		})
	}
}

func TestAGoodRequestIsGood(t *testing.T) {
	code, stdout, stderr := called(t, good, "run", "-f", "-", "--dry-run")
	require.Equal(t, exitDone, code, stderr)
	require.JSONEq(t, good, stdout, "what is read is sent as it is")
	require.Empty(t, stderr)
}

func TestTheShippedRequestIsGood(t *testing.T) {
	code, _, stderr := called(t, "", "run", "-f", "../deploy/dev/request.json", "--dry-run")
	require.Equal(t, exitDone, code, stderr)
}

func TestARefusalNamesAtMostFiftyFaults(t *testing.T) {
	text := with(`{"agent_id":"a"}`, strings.TrimSuffix(strings.Repeat(`{"agent_id":""},`, 60), ","))
	_, _, stderr := called(t, text, "run", "-f", "-")
	require.Contains(t, stderr, "the request breaks 60 rules\n")
	require.Equal(t, domain.MaxFaults, strings.Count(stderr, "cannot be empty"))
	require.Contains(t, stderr, "\n  and 10 more\n")
}

func TestTheDeliberationIDOfARefusalIsThatOfItsTask(t *testing.T) {
	_, stdout, _ := called(t, with(`"DEV"`, `""`), "run", "-f", "-", "--detach")
	require.Contains(t, stdout, `"deliberation_id":"deliberation-T-1"`)
	_, stdout, _ = called(t, with(`"T-1"`, `7`), "run", "-f", "-", "--json")
	require.Contains(t, stdout, `"deliberation_id":""`)
}
