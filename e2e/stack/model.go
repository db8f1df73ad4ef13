//go:build integration

package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Step is what the model does with one call. deploy/dev/model/script.py lists the fields.
type Step map[string]any

// Call is a call that the model got.
type Call struct {
	RequestID string `json:"request_id"`
	Model     string `json:"model"`
	Outcome   string `json:"outcome"`
	Status    int    `json:"status"`

	Traceparent string `json:"traceparent"`

	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
}

// HTTP has a timeout, so that a request that hangs is only one failed try of [Eventually]. It uses each connection once:
// a server may close an idle one just when a request is sent, and a PUT or a POST is not sent again.
var HTTP = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Script sets what a model does with its calls, one step each. The last step repeats.
func Script(t *testing.T, model string, steps ...Step) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"steps": steps})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		At.ModelURL+"/control/script?model="+url.QueryEscape(model), bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := HTTP.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Less(t, response.StatusCode, 300)
}

// Release lets a model go on with the calls that it holds, and with later ones.
func Release(t *testing.T, model string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		At.ModelURL+"/control/release?model="+url.QueryEscape(model), http.NoBody)
	require.NoError(t, err)
	response, err := HTTP.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNoContent, response.StatusCode)
}

// Calls returns the calls that a model got so far.
func Calls(t require.TestingT, model string) []Call {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		At.ModelURL+"/control/calls?model="+url.QueryEscape(model), http.NoBody)
	require.NoError(t, err)
	response, err := HTTP.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Calls []Call `json:"calls"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Calls
}

// OpenCalls counts the calls that a model still works on.
func OpenCalls(t require.TestingT, model string) int { return CountOpen(Calls(t, model)) }

// CountOpen counts the calls that have not ended.
func CountOpen(calls []Call) int {
	open := 0
	for _, call := range calls {
		if call.Outcome == "open" {
			open++
		}
	}
	return open
}

// AwaitOpenCalls waits until a model works on exactly this many calls.
func AwaitOpenCalls(t *testing.T, model string, open int) {
	t.Helper()
	Eventually(t, "the model works on the calls", func(c *assert.CollectT) { require.Equal(c, open, OpenCalls(c, model)) })
}

// Answers is a step that answers with a proposal of that score.
func Answers(score string) Step {
	return Step{"text": `{"proposal":"do it","reasoning":"because","score":` + score + `}`}
}

// Hangs is a step that lasts until the caller leaves.
func Hangs() Step { return Step{"hang": true} }

// Holds is a step that lasts until the model is released, and then answers.
func Holds() Step { return Step{"hold": true, "text": Answers("0.5")["text"]} }

// Slow is a step that answers after some seconds, so that something can be killed meanwhile.
func Slow(seconds float64) Step {
	return Step{"delay_seconds": seconds, "text": Answers("0.5")["text"]}
}

// HangsFirst returns steps of which the first ones hang.
func HangsFirst(count int, then Step) []Step {
	return append(slices.Repeat([]Step{Hangs()}, count), then)
}
