//go:build integration

package ray_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func TestContractOfTheApp(t *testing.T) { runContract(t, openApp) }

func TestFaultsBeforeTheApp(t *testing.T) { runFaults(t, openApp) }

// realApp is a Ray app on this machine that calls the stand-in model.
type realApp struct{ url, token, model string }

func openApp(t *testing.T) rayApp {
	t.Helper()
	opened := realApp{
		url: os.Getenv("DELIBERATION_TEST_RAY_URL"), token: os.Getenv("DELIBERATION_TEST_RAY_TOKEN"),
		model: os.Getenv("DELIBERATION_TEST_MODEL_URL"),
	}
	if opened.url == "" || opened.model == "" {
		t.Skip("DELIBERATION_TEST_RAY_URL and DELIBERATION_TEST_MODEL_URL name the app and its model")
	}
	return opened
}

func (a realApp) config() ray.Config { return ray.Config{Name: "local", URL: a.url, Token: a.token} }

func (a realApp) modelURL() string { return a.model }

func (a realApp) script(t *testing.T, model string, replies ...reply) {
	t.Helper()
	steps := make([]map[string]any, 0, len(replies))
	for _, reply := range replies {
		steps = append(steps, stepOf(reply))
	}
	a.put(t, model, steps)
}

func (a realApp) put(t *testing.T, model string, steps []map[string]any) {
	t.Helper()
	a.control(t, http.MethodPut, "/control/script?model="+url.QueryEscape(model), map[string]any{"steps": steps})
}

func stepOf(reply reply) map[string]any {
	switch {
	case reply.putsOff:
		return map[string]any{"status": 503, "error": "the model is being loaded"}
	case reply.hangs:
		return map[string]any{"hang": true}
	case reply.failure == "":
		return map[string]any{"text": reply.text, "delay_seconds": 0.01, "chunk_delay_seconds": 0}
	}
	return map[domain.FailureKind]map[string]any{
		domain.ModelUnavailable: {"status": 500},
		domain.ModelRejected:    {"status": 404, "error": "no such model"},
		domain.ContextTooLong:   {"status": 400, "error": "maximum context length exceeded"},
		domain.Truncated:        {"text": " ", "finish_reason": "length", "delay_seconds": 0},
		domain.AnswerTooLarge:   {"repeat_bytes": 2 << 20, "delay_seconds": 0, "chunk_delay_seconds": 0},
	}[reply.failure]
}

// hold can't wait for a release: the stand-in model knows only times.
func (a realApp) hold(t *testing.T, model string, then reply) func() {
	t.Helper()
	step := stepOf(then)
	step["delay_seconds"] = 1.5
	a.put(t, model, []map[string]any{step})
	return func() {}
}

func (a realApp) calls(t require.TestingT, id domain.TurnID) int {
	var log struct {
		Calls []struct {
			RequestID domain.TurnID `json:"request_id"`
		} `json:"calls"`
	}
	require.NoError(t, json.Unmarshal(a.control(t, http.MethodGet, "/control/calls", nil), &log))
	count := 0
	for _, call := range log.Calls {
		if call.RequestID == id {
			count++
		}
	}
	return count
}

func (a realApp) control(t require.TestingT, method, path string, body any) []byte {
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	within, cancel := context.WithTimeout(context.Background(), patience/4)
	defer cancel()
	request, err := http.NewRequestWithContext(within, method, a.model+path, bytes.NewReader(encoded))
	require.NoError(t, err)
	request.Close = true // a server may close an idle connection just when a request is sent
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, string(answer))
	return answer
}

// listen uses NATS where the app publishes the text, as on a local stack.
func (a realApp) listen(t *testing.T, config *ray.Config, deliberation string, heard *ear) {
	t.Helper()
	config.Heard = heard.hear
	if url := os.Getenv("NATS_URL"); url != "" {
		stop, err := nats.FollowTokens(nats.Config{URL: url}, deliberation, func(said nats.Heard) { heard.hear([]contract.Saying{said.Saying}) })
		require.NoError(t, err)
		t.Cleanup(stop)
	}
}

// fill lets other owners have deliberations of the same name, which go to the same runner, until too many turns
// wait for the model and the runner takes no new deliberation.
func (a realApp) fill(t *testing.T, c council) {
	t.Helper()
	c.script(t, c.model, hangs())
	crowd := requestOf(t, a.model, c.model, 64)
	for attempt := 2; ; attempt++ {
		crowd := submissionBy(crowd, fmt.Sprintf("crowd-%d", attempt), c.submission.Deliberation, attempt)
		acceptance, err := c.Submit(t.Context(), crowd)
		if err != nil {
			require.Equal(t, domain.KindFull, kindOf(t, err))
			return
		}
		t.Cleanup(func() {
			// Best effort: the app drops the rest by itself.
			_ = newClient(t, a.config()).Forget(context.WithoutCancel(t.Context()), c.order(acceptance.Handles...))
		})
	}
}

func (a realApp) restart(t *testing.T, handle domain.Handle) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/v1/info", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var info struct {
		Runners []struct {
			Name string `json:"name"`
			PID  int    `json:"pid"`
		} `json:"runners"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&info))
	for _, runner := range info.Runners {
		if runner.Name == handle.Runner {
			require.NoError(t, syscall.Kill(runner.PID, syscall.SIGKILL))
			return
		}
	}
	require.Fail(t, "no such runner", handle.Runner)
}
