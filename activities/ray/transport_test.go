package ray_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/activities/ray/raytest"
	"deliberation.io/deliberation/domain"
)

func TestConfigurationIsChecked(t *testing.T) {
	good := ray.Config{Name: "local", URL: "http://127.0.0.1:8000/deliberation/", Token: "a-token_~!"}
	_, err := ray.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*ray.Config){
		"no name":          func(c *ray.Config) { c.Name = "" },
		"no URL":           func(c *ray.Config) { c.URL = "" },
		"no scheme":        func(c *ray.Config) { c.URL = "127.0.0.1:8000" },
		"another scheme":   func(c *ray.Config) { c.URL = "ftp://ray/deliberation" },
		"no host":          func(c *ray.Config) { c.URL = "http:///deliberation" },
		"a password":       func(c *ray.Config) { c.URL = "http://user:hidden@ray/" },
		"a query":          func(c *ray.Config) { c.URL = "http://ray/?a=hidden" },
		"a newline":        func(c *ray.Config) { c.Token = "hidden\n" },
		"a space":          func(c *ray.Config) { c.Token = "hidden token" },
		"a wide character": func(c *ray.Config) { c.Token = "hidden議" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			_, err := ray.New(bad)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "hidden")
		})
	}
}

// TestARequestAsTheAppReadsIt pins the body of a submit.
func TestARequestAsTheAppReadsIt(t *testing.T) {
	var request *http.Request
	var body map[string]any
	client := clientOf(t, func(_ http.ResponseWriter, r *http.Request) {
		request = r
		assertDecodes(t, r.Body, &body)
	})
	submission := submissionOf(t, "http://model:8000/v1", "m", 1)
	submission.Run, submission.Keep = 90*time.Second+time.Millisecond, time.Hour
	_, err := client.Submit(t.Context(), submission)
	require.Error(t, err)

	require.Equal(t, "/deliberation/v1/turns", request.URL.Path)
	require.Equal(t, "Bearer secret", request.Header.Get("Authorization"))
	require.Equal(t, "application/json", request.Header.Get("Content-Type"))
	turn := body["turns"].([]any)[0].(map[string]any)
	parts := turn["messages"].([]any)[0].(map[string]any)["parts"].([]any)
	require.Equal(t, map[string]any{"ref": "task"}, parts[0])
	require.Len(t, parts, 2, "texts that follow one another are one part")
	require.Contains(t, parts[1].(map[string]any)["text"], "expert software developer")
	delete(turn, "messages")
	require.Equal(t, submission.Common["task"], body["common"].(map[string]any)["task"])
	delete(body, "common")
	sent, err := json.Marshal(body)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"owner": "owner-m", "deliberation": "deliberation-m", "labels": {"task_id": "T-42", "role": "DEV", "run": "run"},
		"turns": [{
			"submission_id": "`+string(submission.Asks[0].TurnID)+`", "agent_id": "agent-1", "model": "m",
			"phase": "propose", "round": 0, "attempt": 1,
			"vllm_url": "http://model:8000/v1", "run_seconds": 91, "keep_seconds": 3600,
			"parameters": {"temperature": 0.7, "max_tokens": 256, "extra_body": {"chat_template_kwargs": {"enable_thinking": false}}, "response_format": {
				"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": {
					"type": "object", "required": ["proposal", "reasoning", "score"], "additionalProperties": false,
					"properties": {"proposal": {"type": "string"}, "reasoning": {"type": "string"}, "score": {"type": "number"}}
				}}
			}}
		}]
	}`, string(sent))
}

func TestTheRequestsExtraBodyIsAParameterOfEachTurn(t *testing.T) {
	var body struct {
		Turns []struct {
			Parameters struct {
				ExtraBody map[string]any `json:"extra_body"`
			} `json:"parameters"`
		} `json:"turns"`
	}
	client := clientOf(t, func(_ http.ResponseWriter, r *http.Request) { assertDecodes(t, r.Body, &body) })
	request := domain.RestoreRequest(domain.RequestSpec{
		Agents: []domain.AgentSpec{{AgentID: "a"}}, Protocol: domain.ProtocolSpec{ExtraBody: map[string]string{"k": `{"on":false}`, "top_p": "0.9"}},
	})

	_, err := client.Submit(t.Context(), submissionBy(request, "o", "w", 1))

	require.Error(t, err)
	require.Equal(t, map[string]any{"k": map[string]any{"on": false}, "top_p": 0.9}, body.Turns[0].Parameters.ExtraBody)
}

func assertDecodes(t *testing.T, body io.Reader, into any) {
	t.Helper()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		t.Errorf("the body isn't JSON: %s", err)
	}
}

func TestATemplateOfManyPlaceholdersIsAFewParts(t *testing.T) {
	app := raytest.NewApp(t)
	client := newClient(t, ray.Config{Name: "local", URL: app.URL, Token: app.Token})
	spec := domain.RequestSpec{
		TaskID: "T", TaskDescription: "the task", Role: "DEV", VLLMURL: "http://m", VLLMModel: "m",
		Constraints: domain.ConstraintsSpec{StoryID: "S", PlanID: "P", TimeoutSeconds: 1, QueueTimeoutSeconds: 1},
		Agents: []domain.AgentSpec{{
			AgentID: "a", Role: "DEV", Model: "m", PromptTemplate: "{task_description}|" + strings.Repeat("{role} {agent_id}, ", 500),
		}},
		Protocol: domain.ProtocolSpec{Review: domain.ReviewNone, MaxTokens: 1},
	}
	request, err := domain.NewDeliberationRequest(spec)
	require.NoError(t, err)
	submission := submissionBy(request, "o", "w", 1)
	_, err = client.Submit(t.Context(), submission)
	require.NoError(t, err)
	prompt := app.Prompt(submission.Asks[0].TurnID)
	require.True(t, strings.HasPrefix(prompt, submission.Common[domain.CommonTask]))
	require.True(t, strings.HasSuffix(prompt, "the task|"+strings.Repeat("DEV a, ", 500)))
}

// TestAStaleConnectionIsNoFault: the server closes a kept connection under the request, and the
// transport sends the POST again by itself; the app sees one submit.
func TestAStaleConnectionIsNoFault(t *testing.T) {
	c := newCouncil(t, openStandIn(t), 1)
	c.script(t, c.model, says(answerText))
	config := c.config()
	target := strings.TrimSuffix(strings.TrimPrefix(config.URL, "http://"), "/deliberation")
	relay := newRelay(t, target)
	config.URL = "http://" + relay.address + "/deliberation"
	c.Client = newClient(t, config)
	_, err := c.Info(t.Context())
	require.NoError(t, err)
	relay.cutNext.Store(true) // the next request on a kept connection is read and never answered
	handle := c.submit(t)[0]
	require.EqualValues(t, 2, relay.connections.Load(), "the request went out twice")
	require.Equal(t, domain.RayCompleted, c.see(t, handle).State)
	require.Equal(t, 1, c.calls(t, c.id()))
}

func TestAnUnknownHostIsNamed(t *testing.T) {
	client := newClient(t, ray.Config{Name: "local", URL: "http://ray.invalid/deliberation"})
	require.Contains(t, awaited(t, client).Unreachable, "local: cannot resolve ray.invalid")
}

// TestConnectionsAreKept: every answer is read to its end, errors too, so that many calls need about as
// many connections as run at once. A few more may be opened: the transport dials ahead.
func TestConnectionsAreKept(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "stop") {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			return
		}
		_, _ = io.WriteString(w, `{"turns":[{"submission_id":"t1","state":"running","incarnation":"i1"}]}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := newClient(t, ray.Config{Name: "local", URL: server.URL})
	const workers = 20
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for range 25 {
				_, _ = look(context.Background(), client, handle, 0)
				_, _ = client.Stop(context.Background(), domain.StopOrder{Handles: []domain.Handle{handle}})
			}
		})
	}
	running.Wait()
	require.Less(t, opened.Load(), int32(workers*10), "of a thousand calls")
}

func TestTheTransportMindsItself(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	transport := ray.TransportOf()
	require.Nil(t, transport.Proxy)
	require.GreaterOrEqual(t, transport.MaxIdleConnsPerHost, 100, "submits and stops of many runs at a time")
	require.Zero(t, transport.MaxConnsPerHost, "a stop never queues behind waits")
	require.Less(t, transport.IdleConnTimeout, 90*time.Second, "Serve's keep-alive")
}

func TestEveryRequestCanBeSentAgain(t *testing.T) {
	app := raytest.NewApp(t)
	var seen atomic.Int32
	client := newClient(t, ray.Config{Name: "local", URL: app.URL, Token: app.Token})
	client.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			seen.Add(1)
			require.NotNil(t, r.Header["Idempotency-Key"])
			require.True(t, r.Body == nil || r.GetBody != nil, "the transport can send it again")
			return next.RoundTrip(r)
		})
	})
	_, err := client.Info(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Forget(t.Context(), domain.StopOrder{Owner: "o", Deliberation: "d", Handles: []domain.Handle{handle}}))
	require.EqualValues(t, 2, seen.Load())
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
