package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func made(t *testing.T, args ...string) contract.Request {
	t.Helper()
	args = append([]string{"run", "--dry-run", "--role", "DEV", "--vllm-url", "http://model:8000", "--model", "m"}, args...)
	code, stdout, stderr := called(t, "", args...)
	require.Equal(t, exitDone, code, stderr)
	var request struct{ contract.Request }
	type fields contract.Request
	var read fields
	require.NoError(t, json.Unmarshal([]byte(stdout), &read))
	request.Request = contract.Request(read)
	return request.Request
}

func TestWordsMakeARequest(t *testing.T) {
	request := made(t, "Add rate limiting", "to the login API", "--agents", "2", "--timeout", "5m", "--retries", "0", "--quorum", "2")

	require.Regexp(t, `^add-rate-limiting-to-the-login-api-[0-9a-f]{8}$`, request.TaskID)
	require.Equal(t, "Add rate limiting to the login API", request.TaskDescription)
	require.Equal(t, "adhoc", request.Constraints.StoryID)
	require.Equal(t, "adhoc", request.Constraints.PlanID)
	require.Equal(t, 300, *request.Constraints.TimeoutSeconds)
	require.Equal(t, 0, *request.Constraints.MaxRetries)
	require.Equal(t, 2, *request.Protocol.Quorum)
	require.Equal(t, []contract.Agent{{AgentID: "agent-dev-001"}, {AgentID: "agent-dev-002"}}, request.Agents)
}

func TestWhatIsNotGivenIsLeftToTheRequestsDefaults(t *testing.T) {
	request := made(t, "Plan it")
	require.Nil(t, request.Constraints.TimeoutSeconds)
	require.Nil(t, request.Constraints.MaxRetries)
	require.Equal(t, &contract.Protocol{Review: domain.ReviewPeer}, request.Protocol)
	require.Len(t, request.Agents, defaultAgents)
	require.Nil(t, made(t, "Plan it", "--agents", "1").Protocol, "nobody is there to review it")
}

func TestFlagsSetTheProtocol(t *testing.T) {
	protocol := made(t, "Plan it", "--review", "judge", "--judge-model", "large", "--judge-url", "http://judge:8000",
		"--rounds", "2", "--patience", "30s").Protocol
	require.Equal(t, "judge", protocol.Review)
	require.Equal(t, "large", protocol.JudgeModel)
	require.Equal(t, "http://judge:8000", protocol.JudgeURL)
	require.Equal(t, 2, *protocol.Rounds)
	require.Equal(t, 30, *protocol.Patience)
	require.Equal(t, domain.ReviewNone, made(t, "Plan it", "--review", "none").Protocol.Review)
	require.Equal(t, domain.ReviewNone, made(t, "Plan it", "--agents", "1", "--quorum", "1").Protocol.Review)
}

func TestTheSameWordsAreTheSameTaskAndAChangeIsAnother(t *testing.T) {
	id := made(t, "Plan it").TaskID
	require.Equal(t, id, made(t, "Plan it").TaskID)
	for _, change := range [][]string{{"--role", "QA"}, {"--agents", "4"}, {"--retries", "1"}, {"--timeout", "60s"}, {"--model", "n"}, {"--review", "none"}, {"--rounds", "2"}} {
		require.NotEqual(t, id, made(t, append([]string{"Plan it"}, change...)...).TaskID, "%v", change)
	}
	require.Equal(t, "mine", made(t, "Plan it", "--task-id", "mine").TaskID)
}

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"Add rate limiting":                  "add-rate-limiting",
		"  What's   /v1/login?  ":            "what-s-v1-login",
		"注文を確認":                              "",
		"Straße 7":                           "stra-e-7",
		strings.Repeat("word ", 20):          "word-word-word-word-word-word-word-word",
		strings.Repeat("x", 60):              strings.Repeat("x", slugMost),
		strings.Repeat("x", 39) + " another": strings.Repeat("x", 39),
	} {
		require.Equal(t, want, slug(text), text)
	}
	require.Regexp(t, `^task-[0-9a-f]{8}$`, made(t, "注文を確認").TaskID)
}
