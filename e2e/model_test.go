//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

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
}

// script makes the model behave.
func script(t *testing.T, model string, steps ...step) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"steps": steps})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		stack.ModelURL+"/control/script?model="+url.QueryEscape(model), bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Less(t, response.StatusCode, 300)
}

// calls are those that a model got so far.
func calls(t *testing.T, model string) []call {
	t.Helper()
	response, err := http.Get(stack.ModelURL + "/control/calls?model=" + url.QueryEscape(model))
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Calls []call `json:"calls"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Calls
}

// openCalls are those that still run.
func openCalls(t *testing.T, model string) int {
	t.Helper()
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
