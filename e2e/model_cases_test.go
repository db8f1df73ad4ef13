//go:build integration

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	low          = "ok-low" // a good answer of score 0.3, in each council
	scriptedCase = "deploy/ray/tests/model_cases"
	mostAgents   = 64
	// mostCalls bounds the calls of a turn that waits for its server: the pauses grow.
	mostCalls = 8
)

// rightValue is the outcome of a case: of one call in the runner, and of the agent in the whole product. A
// failure in the runner is also the agent's, unless the product names another end.
type rightValue struct {
	Runner struct {
		Calls     int                `json:"calls"` // of one attempt; 0 where the server puts calls off
		ErrorType domain.FailureKind `json:"error_type"`
		Words     string             `json:"words"`
	} `json:"runner"`
	Product struct {
		Proposal  string             `json:"proposal"`
		Score     float64            `json:"score"`
		Parse     string             `json:"parse"`
		ErrorType domain.FailureKind `json:"error_type"`
		Words     string             `json:"words"`
		Attempts  int                `json:"attempts"` // of two that the request allows; 1 if absent
	} `json:"product"`
}

func (r rightValue) failure() (kind domain.FailureKind, words string) {
	if r.Product.ErrorType != "" || r.Product.Proposal != "" {
		return r.Product.ErrorType, r.Product.Words
	}
	return r.Runner.ErrorType, r.Runner.Words
}

func (r rightValue) attempts() int { return max(1, r.Product.Attempts) }

// The server is ten times as fast as the servers that it imitates. Silence is noticed after half of the time
// that is left, so the timeout lets a turn fall silent twice.
func TestModelCases(t *testing.T) {
	right := rightValues(t)
	server := startModelCases(t)
	require.ElementsMatch(t, slices.Collect(maps.Keys(right)), servedCases(t, server), "each case has its right value in right.json")
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)

	var usual, overloaded []string
	for _, name := range slices.Sorted(maps.Keys(right)) {
		switch kind, _ := right[name].failure(); {
		case name == low:
		case kind == domain.ModelOverloaded:
			overloaded = append(overloaded, name) // these wait until the deadline
		default:
			usual = append(usual, name)
		}
	}
	councils := map[client.WorkflowRun][]string{beginCases(t, queue, server, overloaded, 12): overloaded}
	for names := range slices.Chunk(usual, mostAgents-1) {
		councils[beginCases(t, queue, server, names, 70)] = names
	}

	for run, names := range councils {
		checkCouncil(t, stack.Result(t, run), names, right)
	}
	checkCalls(t, server, right, len(councils))
}

// beginCases starts a council with an agent for each case, and one for the answer with a low score.
func beginCases(t *testing.T, queue, server string, names []string, timeoutSeconds int) client.WorkflowRun {
	t.Helper()
	request := stack.Request(t, nil)
	for _, name := range append(slices.Clone(names), low) {
		request.Agents = append(request.Agents, contract.Agent{AgentID: name, Role: "DEV", Model: name})
	}
	request.VLLMURL, request.VLLMModel = server, low
	request.Constraints.TimeoutSeconds, request.Constraints.MaxRetries = &timeoutSeconds, new(1)
	return stack.Begin(t, queue, request)
}

func checkCouncil(t *testing.T, got contract.Result, names []string, right map[string]rightValue) {
	t.Helper()
	results := map[string]contract.AgentResult{}
	for _, each := range got.Results {
		results[each.AgentID] = each
		assert.NotContains(t, each.Proposal, "DRAFT", "%s: a draft is no answer", each.AgentID)
	}
	failures := map[string]contract.AgentFailure{}
	for _, each := range got.Failures {
		failures[each.AgentID] = each
	}
	for _, name := range append(slices.Clone(names), low) {
		if kind, _ := right[name].failure(); kind != "" {
			checkFailure(t, name, right[name], failures)
			continue
		}
		checkAnswer(t, name, right[name], results, failures)
		if right[name].Product.Score > right[low].Product.Score {
			assert.Less(t, results[name].Rank, results[low].Rank, "%s ranks before %s", name, low)
		}
	}
}

func checkAnswer(t *testing.T, name string, right rightValue, results map[string]contract.AgentResult, failures map[string]contract.AgentFailure) {
	t.Helper()
	got, completed := results[name]
	if !assert.True(t, completed, "%s failed: %+v", name, failures[name]) {
		return
	}
	assert.Equal(t, right.Product.Proposal, got.Proposal, name)
	assert.InDelta(t, right.Product.Score, got.Score, 1e-9, name)
	assert.Equal(t, right.Product.Parse, got.Metadata["parse"], name)
	assert.Equal(t, right.attempts(), got.Attempts, "%s: attempts", name)
	assert.Equal(t, "m", got.Metadata["model"], "%s: the model that answered, not the one that was asked for", name)
}

func checkFailure(t *testing.T, name string, right rightValue, failures map[string]contract.AgentFailure) {
	t.Helper()
	got, failed := failures[name]
	if !assert.True(t, failed, "%s completed", name) {
		return
	}
	kind, words := right.failure()
	assert.Equal(t, kind, got.ErrorType, "%s: %s", name, got.Message)
	assert.Contains(t, got.Message, words, name)
	assert.Equal(t, right.attempts(), got.Attempts, "%s: attempts", name)
}

func checkCalls(t *testing.T, server string, right map[string]rightValue, councils int) {
	t.Helper()
	var calls map[string]int
	readJSON(t, server+"/calls", &calls)
	for name, value := range right {
		switch {
		case name == low:
			assert.Equal(t, councils, calls[name], "calls of %s", name)
		case value.Runner.Calls == 0:
			assert.Greater(t, calls[name], 1, "calls of %s", name)
			assert.LessOrEqual(t, calls[name], mostCalls, "calls of %s", name)
		default:
			assert.Equal(t, value.Runner.Calls*value.attempts(), calls[name], "calls of %s", name)
		}
	}
}

func rightValues(t *testing.T) map[string]rightValue {
	t.Helper()
	text, err := os.ReadFile(stack.Path(scriptedCase + "/right.json"))
	require.NoError(t, err)
	var values map[string]rightValue
	require.NoError(t, json.Unmarshal(text, &values))
	return values
}

// startModelCases runs the scripted model server until the test ends, and returns its URL.
func startModelCases(t *testing.T) string {
	t.Helper()
	address := stack.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	server := exec.Command(stack.Path(".dev/venv/bin/python"), stack.Path(scriptedCase), "--port", port, "--speed", "10")
	server.Stderr = t.Output()
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	url := "http://" + address
	stack.Eventually(t, "the scripted model server listens", func(c *assert.CollectT) { readJSON(c, url+"/v1/models", &struct{}{}) })
	return url
}

func servedCases(t *testing.T, server string) []string {
	t.Helper()
	var models struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	readJSON(t, server+"/v1/models", &models)
	names := make([]string, 0, len(models.Data))
	for _, model := range models.Data {
		names = append(names, model.ID)
	}
	return names
}

func readJSON(t require.TestingT, url string, into any) {
	response, err := stack.HTTP.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
}
