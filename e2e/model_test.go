//go:build integration

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// step is what the stand-in model does with one call; the last one repeats.
type step map[string]any

// call is a call that the model got.
type call struct {
	RequestID string `json:"request_id"`
	Model     string `json:"model"`
	Outcome   string `json:"outcome"`
	Status    int    `json:"status"`

	Traceparent string `json:"traceparent"`

	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
}

// asking is bounded, so that a call that hangs is one more try of eventually.
var asking = &http.Client{Timeout: 30 * time.Second}

// script makes the model behave.
func script(t *testing.T, model string, steps ...step) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"steps": steps})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		stack.ModelURL+"/control/script?model="+url.QueryEscape(model), bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := asking.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Less(t, response.StatusCode, 300)
}

// release lets a model go on with the calls that it holds, and with later ones.
func release(t *testing.T, model string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		stack.ModelURL+"/control/release?model="+url.QueryEscape(model), http.NoBody)
	require.NoError(t, err)
	response, err := asking.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNoContent, response.StatusCode)
}

// calls are those that a model got so far.
func calls(t require.TestingT, model string) []call {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		stack.ModelURL+"/control/calls?model="+url.QueryEscape(model), http.NoBody)
	require.NoError(t, err)
	response, err := asking.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Calls []call `json:"calls"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Calls
}

// openCalls are those that still run.
func openCalls(t require.TestingT, model string) int {
	open := 0
	for _, call := range calls(t, model) {
		if call.Outcome == "open" {
			open++
		}
	}
	return open
}

// answers is a step that gives an answer with a score.
func answers(score string) step {
	return step{"text": `{"proposal":"do it","reasoning":"because","score":` + score + `}`}
}

// hangs is a step that lasts until the caller leaves.
func hangs() step { return step{"hang": true} }

// holds is a step that lasts until the model is released, and then gives an answer.
func holds() step { return step{"hold": true, "text": answers("0.5")["text"]} }

// slow is a step whose answer takes long enough to kill something meanwhile.
func slow(seconds float64) step {
	return step{"delay_seconds": seconds, "text": `{"proposal":"do it","reasoning":"because","score":0.5}`}
}

// hangsFirst are steps of which the first so many hang.
func hangsFirst(count int, then step) []step {
	return append(slices.Repeat([]step{hangs()}, count), then)
}
