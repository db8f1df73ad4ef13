package domain_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestRequestRules(t *testing.T) {
	long := func(bytes int) string { return strings.Repeat("x", bytes) }
	for name, test := range map[string]struct {
		change func(*domain.RequestSpec)
		fault  string
	}{
		"a story id is required": {
			func(s *domain.RequestSpec) { s.Constraints.StoryID = " " }, "constraints.story_id: cannot be empty",
		},
		"a plan id is required": {
			func(s *domain.RequestSpec) { s.Constraints.PlanID = "" }, "constraints.plan_id: cannot be empty",
		},
		"an agent id is required": {
			func(s *domain.RequestSpec) { s.Agents[1].AgentID = "" }, "agents[1].agent_id: cannot be empty",
		},
		"an agent's role can't be empty": {
			func(s *domain.RequestSpec) { s.Agents[0].Role = "" }, "agents[0].role: cannot be empty",
		},
		"an agent's model can't be empty": {
			func(s *domain.RequestSpec) { s.Agents[0].Model = "" }, "agents[0].model: cannot be empty",
		},
		"agent ids are unique": {
			func(s *domain.RequestSpec) { s.Agents[1].AgentID = "agent-1" }, "agents[1].agent_id: duplicate of agents[0]",
		},
		"no agent is called like the judge": {
			func(s *domain.RequestSpec) {
				s.Agents[1].AgentID, s.Protocol.Review, s.Protocol.JudgeModel = "judge", domain.ReviewJudge, "large"
			}, "agents[1].agent_id: judge is the council's judge; choose another id",
		},
		"no agent is called like the chair": {
			func(s *domain.RequestSpec) { s.Agents[0].AgentID, s.Protocol.Mode = "chair", domain.ModeSynthesize },
			"agents[0].agent_id: chair is the council's chair; choose another id",
		},
		"there are at most 64 agents": {
			func(s *domain.RequestSpec) { s.Agents = specOf(65).Agents }, "agents: must be at most 64, got 65",
		},
		"an unknown placeholder is named with its agent": {
			func(s *domain.RequestSpec) { s.Agents[1].PromptTemplate = "{nope}" },
			`agents[1].prompt_template: unknown placeholder "{nope}"; use {task_description}, {role}, {agent_id}, {story_id}, {plan_id}, or {{ and }} for braces`,
		},
		"a timeout of 0 is a fault": {
			func(s *domain.RequestSpec) { s.Constraints.TimeoutSeconds = 0 }, "constraints.timeout_seconds: must be 1..86400, got 0",
		},
		"a negative timeout is a fault": {
			func(s *domain.RequestSpec) { s.Constraints.TimeoutSeconds = -1 }, "constraints.timeout_seconds: must be 1..86400, got -1",
		},
		"a timeout is a day at most": {
			func(s *domain.RequestSpec) { s.Constraints.TimeoutSeconds = 86401 }, "constraints.timeout_seconds: must be 1..86400, got 86401",
		},
		"a queue timeout is a second at least": {
			func(s *domain.RequestSpec) { s.Constraints.QueueTimeoutSeconds = 0 }, "constraints.queue_timeout_seconds: must be 1..86400, got 0",
		},
		"a queue timeout is a day at most": {
			func(s *domain.RequestSpec) { s.Constraints.QueueTimeoutSeconds = 86401 },
			"constraints.queue_timeout_seconds: must be 1..86400, got 86401",
		},
		"retries can't be negative": {
			func(s *domain.RequestSpec) { s.Constraints.MaxRetries = -1 }, "constraints.max_retries: must be 0..20, got -1",
		},
		"there are at most 20 retries": {
			func(s *domain.RequestSpec) { s.Constraints.MaxRetries = 21 }, "constraints.max_retries: must be 0..20, got 21",
		},
		"metadata has at most 32 pairs": {
			func(s *domain.RequestSpec) { s.Constraints.Metadata = pairs(33) }, "constraints.metadata: must have at most 32 pairs, got 33",
		},
		"a metadata pair is at most 1 KiB": {
			func(s *domain.RequestSpec) { s.Constraints.Metadata = map[string]string{"note": long(1021)} },
			`constraints.metadata["note"]: must be at most 1024 bytes in JSON with its key, got 1025`,
		},
		"another review is refused": {
			func(s *domain.RequestSpec) { s.Protocol.Review = "vote" }, `protocol.review: must be "none", "peer" or "judge", got "vote"`,
		},
		"rounds can't be negative": {
			func(s *domain.RequestSpec) { s.Protocol.Rounds = -1 }, "protocol.rounds: must be 0..3, got -1",
		},
		"there are at most three rounds": {
			func(s *domain.RequestSpec) { s.Protocol.Rounds = 4 }, "protocol.rounds: must be 0..3, got 4",
		},
		"a quorum can't be negative": {
			func(s *domain.RequestSpec) { s.Protocol.Quorum = -1 }, "protocol.quorum: must be 0..2, got -1",
		},
		"a quorum is at most the council": {
			func(s *domain.RequestSpec) { s.Protocol.Quorum = 3 }, "protocol.quorum: must be 0..2, got 3",
		},
		"a temperature is at most 2": {
			func(s *domain.RequestSpec) { s.Protocol.Temperature = 2.1 }, "protocol.temperature: must be 0..2, got 2.1",
		},
		"a temperature can't be negative": {
			func(s *domain.RequestSpec) { s.Protocol.Temperature = -0.1 }, "protocol.temperature: must be 0..2, got -0.1",
		},
		"a temperature is a number": {
			func(s *domain.RequestSpec) { s.Protocol.Temperature = math.NaN() }, "protocol.temperature: must be 0..2, got NaN",
		},
		"a temperature is finite": {
			func(s *domain.RequestSpec) { s.Protocol.Temperature = math.Inf(1) }, "protocol.temperature: must be 0..2, got +Inf",
		},
		"max_tokens is at least one": {
			func(s *domain.RequestSpec) { s.Protocol.MaxTokens = 0 }, "protocol.max_tokens: must be 1..32768, got 0",
		},
		"max_tokens is at most 32768": {
			func(s *domain.RequestSpec) { s.Protocol.MaxTokens = 32769 }, "protocol.max_tokens: must be 1..32768, got 32769",
		},
		"a task id is at most 200 bytes": {
			func(s *domain.RequestSpec) { s.TaskID = long(201) }, "task_id: must be at most 200 bytes in JSON, got 201",
		},
		"bytes are counted as JSON writes them": {
			func(s *domain.RequestSpec) { s.Role = strings.Repeat("<", 34) }, "role: must be at most 200 bytes in JSON, got 204",
		},
		"a model is at most 200 bytes": {
			func(s *domain.RequestSpec) { s.VLLMModel = long(201) }, "vllm_model: must be at most 200 bytes in JSON, got 201",
		},
		"a story id is at most 200 bytes": {
			func(s *domain.RequestSpec) { s.Constraints.StoryID = long(201) }, "constraints.story_id: must be at most 200 bytes in JSON, got 201",
		},
		"a plan id is at most 200 bytes": {
			func(s *domain.RequestSpec) { s.Constraints.PlanID = long(201) }, "constraints.plan_id: must be at most 200 bytes in JSON, got 201",
		},
		"an agent id is at most 200 bytes": {
			func(s *domain.RequestSpec) { s.Agents[0].AgentID = long(201) }, "agents[0].agent_id: must be at most 200 bytes in JSON, got 201",
		},
		"a description is at most 256 KiB": {
			func(s *domain.RequestSpec) { s.TaskDescription = long(256<<10 + 1) }, "task_description: must be at most 262144 bytes in JSON, got 262145",
		},
		"a template is at most 16 KiB": {
			func(s *domain.RequestSpec) { s.Agents[0].PromptTemplate = long(16<<10 + 1) },
			"agents[0].prompt_template: must be at most 16384 bytes in JSON, got 16385",
		},
		"a URL is at most 2 KiB": {
			func(s *domain.RequestSpec) { s.VLLMURL = "http://h/" + long(2<<10-8) }, "vllm_url: must be at most 2048 bytes in JSON, got 2049",
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := specOf(2)
			test.change(&spec)
			_, err := domain.NewDeliberationRequest(spec)
			require.EqualError(t, err, test.fault)
			hasFault(t, err, test.fault)
		})
	}
}

func TestRequestURL(t *testing.T) {
	notAbsolute := func(url string) string {
		return fmt.Sprintf("vllm_url: must be an absolute http or https URL, got %q", url)
	}
	const hidden = "vllm_url: must be an absolute http or https URL"
	const unprintable = "vllm_url: must not contain spaces, control characters or characters beyond ASCII"
	const userinfo = "vllm_url: must not carry a user or password"
	for url, fault := range map[string]string{
		"http://vllm":              "",
		"https://vllm:8443/v1":     "",
		"HTTP://VLLM/v1/":          "",
		"http://[::1]:8000":        "",
		"http://h/a@b":             "",
		"vllm:8000":                notAbsolute("vllm:8000"),
		"//vllm/v1":                notAbsolute("//vllm/v1"),
		"ftp://vllm":               notAbsolute("ftp://vllm"),
		"http://":                  notAbsolute("http://"),
		"http://:8000":             notAbsolute("http://:8000"),
		"http:///v1":               notAbsolute("http:///v1"),
		" http://vllm":             unprintable,
		"http://h:port":            notAbsolute("http://h:port"),
		"http://h:0":               "vllm_url: must have a port of 1..65535, got 0",
		"http://127.1":             `vllm_url: must write an IPv4 address as four decimal numbers, got "127.1"`,
		"http://a b":               unprintable,
		"http://me@vllm":           userinfo,
		"http://me:secret@vllm":    userinfo,
		"http://@vllm":             userinfo,
		"ftp://me:secret@vllm":     hidden + "; " + userinfo,
		"http://me:sec%zzret@vllm": userinfo,
	} {
		t.Run(url, func(t *testing.T) {
			spec := specOf(1)
			spec.VLLMURL = url
			_, err := domain.NewDeliberationRequest(spec)
			if fault == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, fault)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestBoundsAreInclusive(t *testing.T) {
	spec := specOf(64)
	spec.TaskID, spec.TaskDescription = strings.Repeat("x", 200), strings.Repeat("議", 256<<10/3)
	spec.Constraints = domain.ConstraintsSpec{StoryID: "s", PlanID: "p", TimeoutSeconds: 86400, QueueTimeoutSeconds: 86400, MaxRetries: 20, Metadata: pairs(32)}
	spec.Constraints.Metadata["key-0"] = strings.Repeat("v", 1024-len("key-0"))
	spec.Agents[0].PromptTemplate = strings.Repeat("x", 16<<10)
	spec.VLLMURL = "http://h/" + strings.Repeat("x", 2<<10-9)
	spec.Protocol = domain.ProtocolSpec{Review: "none", Rounds: 3, Quorum: 64, Temperature: 2, MaxTokens: 32768}
	request := requestOf(t, spec)
	require.Equal(t, 64, request.Protocol().Needs())

	least := specOf(1)
	least.Constraints = domain.ConstraintsSpec{StoryID: "s", PlanID: "p", TimeoutSeconds: 1, QueueTimeoutSeconds: 1}
	least.Protocol = domain.ProtocolSpec{Review: "none", MaxTokens: 1}
	request = requestOf(t, least)
	require.False(t, request.Constraints().MayRetry(1), "max_retries 0 means none")
	require.Equal(t, 1, request.Protocol().Needs(), "quorum 0 stands for one")
	require.Equal(t, domain.ReviewNone, request.Protocol().Review())
}

func TestAllFaultsAreNamedTogether(t *testing.T) {
	_, err := domain.NewDeliberationRequest(domain.RequestSpec{Agents: []domain.AgentSpec{{}, {AgentID: " "}, {AgentID: " "}}})
	require.EqualError(t, err, strings.Join([]string{
		"task_id: cannot be empty", "task_description: cannot be empty", "role: cannot be empty",
		"constraints.story_id: cannot be empty", "constraints.plan_id: cannot be empty",
		"constraints.timeout_seconds: must be 1..86400, got 0", "constraints.queue_timeout_seconds: must be 1..86400, got 0",
		"agents[0].agent_id: cannot be empty", "agents[0].role: cannot be empty", "agents[0].model: cannot be empty",
		"agents[1].agent_id: cannot be empty", "agents[1].role: cannot be empty", "agents[1].model: cannot be empty",
		"agents[2].agent_id: cannot be empty", "agents[2].role: cannot be empty", "agents[2].model: cannot be empty",
		"vllm_url: cannot be empty", "vllm_model: cannot be empty",
		`protocol.review: must be "none", "peer" or "judge", got ""`, "protocol.max_tokens: must be 1..32768, got 0",
	}, "; "))
}

func TestRestoreChecksNothingAndGivesWhatWasRecorded(t *testing.T) {
	spec := specOf(2)
	require.Equal(t, requestOf(t, spec), domain.RestoreRequest(spec))

	spec.TaskID, spec.Constraints.TimeoutSeconds = "", -1
	require.Empty(t, domain.RestoreRequest(spec).TaskID())
	require.Empty(t, domain.RestoreRequest(domain.RequestSpec{}).Agents())
}

func TestRestoredRequestIsImmutable(t *testing.T) {
	spec := specOf(1)
	restored := domain.RestoreRequest(spec)
	spec.Agents[0].AgentID, spec.Constraints.Metadata["team"] = "changed", "changed"
	require.Equal(t, requestOf(t, specOf(1)), restored)
}

func pairs(n int) map[string]string {
	metadata := make(map[string]string, n)
	for i := range n {
		metadata[fmt.Sprintf("key-%d", i)] = "value"
	}
	return metadata
}

func TestAModelServersURLHasNoQueryOrFragment(t *testing.T) {
	for _, url := range []string{"http://vllm:8000/v1?key=x", "http://vllm:8000/v1?", "http://vllm:8000/#top"} {
		spec := specOf(1)
		spec.VLLMURL = url
		_, err := domain.NewDeliberationRequest(spec)
		require.EqualError(t, err, "vllm_url: must not carry a query or fragment", url)
	}
}
