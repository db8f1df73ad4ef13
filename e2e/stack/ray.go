//go:build integration

package stack

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
)

// Turn is a turn that Ray knows.
type Turn struct {
	SubmissionID string `json:"submission_id"`
	Deliberation string `json:"deliberation"`
	Runner       string `json:"runner"`
	State        string `json:"state"`
}

// Unfinished reports whether the turn waits or runs.
func (t Turn) Unfinished() bool { return t.State == "queued" || t.State == "running" }

// Runner is a process that runs turns on Ray.
type Runner struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	Kept int    `json:"kept"`
}

// AskRay reads a path of the stack's Ray app.
func AskRay(t require.TestingT, path string, into any) { askApp(t, At.RayAppURL, path, into) }

func askApp(t require.TestingT, app, path string, into any) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, app+path, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+At.RayToken)
	response, err := HTTP.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
}

// TurnsOf returns the turns of a deliberation that Ray still knows.
func TurnsOf(t require.TestingT, deliberation string) []Turn {
	return slices.DeleteFunc(TurnsOn(t, At.RayAppURL), func(each Turn) bool { return each.Deliberation != deliberation })
}

// TurnsOn returns all turns that one cluster, named by its app's URL, still knows.
func TurnsOn(t require.TestingT, app string) []Turn {
	var answer struct {
		Turns   []Turn   `json:"turns"`
		Unheard []string `json:"unheard"`
	}
	described, err := Temporal.WorkflowService().DescribeNamespace(context.Background(),
		&workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	askApp(t, app, "/v1/turns?owner="+described.GetNamespaceInfo().GetId(), &answer)
	require.Empty(t, answer.Unheard, "runners that don't say what they hold")
	return answer.Turns
}

// Runners returns the runners of the stack's Ray app.
func Runners(t require.TestingT) []Runner {
	var answer struct {
		Runners []Runner `json:"runners"`
	}
	AskRay(t, "/v1/info", &answer)
	return answer.Runners
}
