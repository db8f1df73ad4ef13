package workflows_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func TestOpening_RefusesABadRequestImmediately(t *testing.T) {
	many := strings.Builder{}
	for i := range 60 {
		fmt.Fprintf(&many, `,"unknown-%d":1`, i)
	}
	tests := map[string]struct{ text, message string }{
		"null":     {"null", "request: must be an object, got null"},
		"a list":   {"[]", "request: must be an object, got a list"},
		"a text":   {`"x"`, `request: must be an object, got "x"`},
		"a number": {"7", "request: must be an object, got 7"},
		"two faults": {
			string(fakes.EditedRequest(t, map[string]string{"role": "7", "constraints.timeout_seconds": "0"})),
			"role: must be a string, got 7; constraints.timeout_seconds: must be 1..86400, got 0",
		},
		"600 KiB": {
			string(fakes.EditedRequest(t, map[string]string{"task_description": strconv.Quote(strings.Repeat("x", 600<<10))})),
			"task_description: must be at most 262144 bytes in JSON, got 614400; request: must be at most 524288 bytes in JSON, got 614833",
		},
		"more than fifty faults": {strings.Replace(fakes.LegalRequest, "{", `{"x-first":0`+many.String()+",", 1), "; and 10 more"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			shown := ""
			s.onMemo(func(memo map[string]any) { shown, _ = memo[contract.MemoError].(string) })

			_, err := s.runAndExpectNothingLeft(contract.RequestText([]byte(test.text)))

			kind, message, _ := failed(t, err)
			require.Equal(t, domain.InvalidRequest, kind)
			require.NotEmpty(t, shown, "lists show the reason")
			require.Contains(t, message, strings.TrimSuffix(shown, "…"))
			require.True(t, strings.HasSuffix(message, test.message), message)
			require.LessOrEqual(t, strings.Count(message, "; ")+1, 51)
			require.Empty(t, s.scheduled)
			status := s.status()
			require.Equal(t, domain.StatusFailed, status.Status)
			require.Equal(t, message, *status.ErrorMessage)
			require.Equal(t, "FAILED", ask[contract.Job](s, contract.QueryJob).Status)
			require.Contains(t, s.details(), "InvalidRequest")
		})
	}
}

func TestOpening_RefusesARunWithoutInput(t *testing.T) {
	s := newStage(t)
	s.env.ExecuteWorkflow(contract.DeliberationName)
	kind, message, _ := failed(t, s.env.GetWorkflowError())
	require.Equal(t, domain.InvalidRequest, kind)
	require.Equal(t, "request: no input was given; it takes one JSON object", message)
}

func TestOpening_RefusesASecondInput(t *testing.T) {
	s := newStage(t)
	s.env.ExecuteWorkflow(contract.DeliberationName, contract.RequestText([]byte(fakes.LegalRequest)), contract.RequestText([]byte(fakes.LegalRequest)))
	kind, message, _ := failed(t, s.env.GetWorkflowError())
	require.Equal(t, domain.InvalidRequest, kind)
	require.Equal(t, "request: more than one input was given; it takes one JSON object", message)
}

func TestOpening_ShowsWordsOfARefusedRequestAsWords(t *testing.T) {
	s := newStage(t)
	_, err := s.run(contract.RequestText([]byte(`{"![](http://evil)\n# big\u202e\u001b[2J":1,"role":["<img>"],"vllm_url":"[click](http://evil)"}`)))
	_, message, _ := failed(t, err)
	require.Contains(t, message, `![](http://evil)\n# big\u202e\x1b[2J: unknown field`)
	require.Contains(t, s.details(), `- \!\[\](http://evil)\\n\# big\\u202e\\x1b\[2J: unknown field`)
	require.NotContains(t, strings.ReplaceAll(s.details(), `\[`, ""), "[")
}

func TestOpening_ReadsTheInputOfAllClients(t *testing.T) {
	for encoding, refused := range map[string]bool{"json/plain": false, "binary/plain": false, "json/protobuf": true} {
		t.Run(encoding, func(t *testing.T) {
			s := newStage(t)
			_, err := s.run(converter.NewRawValue(&commonpb.Payload{
				Metadata: map[string][]byte{"encoding": []byte(encoding)}, Data: []byte(fakes.LegalRequest),
			}))
			if !refused {
				require.NoError(t, err)
				return
			}
			kind, message, _ := failed(t, err)
			require.Equal(t, domain.InvalidRequest, kind)
			require.Equal(t, `request: its encoding is "json/protobuf"; send one JSON object as json/plain`, message)
		})
	}
}

func TestOpening_ChecksTheModelServerWithEverythingElse(t *testing.T) {
	s := newStage(t)
	allow, err := domain.NewAllowList([]string{"models.example"})
	require.NoError(t, err)
	s.environment.Current.Allow = allow

	_, err = s.runAndExpectNothingLeft(contract.RequestText(fakes.EditedRequest(t, map[string]string{"role": `""`})))

	_, message, _ := failed(t, err)
	require.Equal(t, "role: cannot be empty; vllm_url: is outside the allow-list (DELIBERATION_VLLM_ALLOW)", message)
}

func TestOpening_NeverAllowsALinkLocalAddress(t *testing.T) {
	s := newStage(t)
	request := fakes.Council(1)
	request.VLLMURL = "http://169.254.169.254/latest"

	_, err := s.runAndExpectNothingLeft(request)

	_, message, _ := failed(t, err)
	require.Equal(t, "vllm_url: names a link-local or cloud metadata address, which is never allowed", message)
}

func TestOpening_RecordsTheEnvironmentOnce(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Grace = 1500 * time.Millisecond
	s.environment.Current.Clusters = []domain.ClusterState{{Name: "local", Up: true, Room: true}, {Name: "other"}}
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true).After(time.Minute), fakes.Answer("done", 0.5))
	s.at(time.Second, func() {
		s.environment.Current.Clusters, s.environment.Current.Events, s.environment.Current.Grace = []domain.ClusterState{{Name: "another"}}, false, 0
		s.environment.Current.Allow, _ = domain.NewAllowList([]string{"nowhere"})
	})

	_, err := s.runAndExpectNothingLeft(fakes.Council(64))

	require.NoError(t, err)
	require.Equal(t, "local", s.Ray.Submitted[1].Cluster)
	last := s.Ray.Awaited[len(s.Ray.Awaited)-1]
	require.Equal(t, 2, last.GraceSeconds, "rounded up: 0 would mean without end")
	require.Equal(t, domain.AnswerMaximum(64), last.AnswerBytes)
	require.Equal(t, domain.EventCompleted, s.NATS.Kinds()[len(s.NATS.Kinds())-1])
}

// broken is an environment that can't be read.
type broken struct{}

func (broken) Settings() domain.Settings { panic("no configuration") }

func TestOpening_APanicIsAFaultOfTheRun(t *testing.T) {
	s := newStage(t)
	env := s.env
	workflows.Register(renamed{env}, broken{})

	env.ExecuteWorkflow("Broken", fakes.Council(1))

	kind, message, _ := failed(t, env.GetWorkflowError())
	require.Equal(t, domain.InvalidRequest, kind)
	require.Equal(t, "request: could not be read: no configuration", message)
}

// renamed registers the deliberation under another name than the one of the stage.
type renamed struct{ to workflows.Registry }

func (r renamed) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	if options.Name == contract.DeliberationName {
		r.to.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: "Broken"})
	}
}
