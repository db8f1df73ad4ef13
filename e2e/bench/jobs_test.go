//go:build integration

package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"deliberation.io/deliberation/e2e/stack"
)

// runJob does one turn as a job of the Ray Jobs API, and polls its status, since the API has no wait.
func (m *model) runJob(ctx context.Context, _ string) error {
	var job struct {
		ID string `json:"submission_id"`
	}
	jobs := stack.At.RayDashboard + "/api/jobs/"
	err := ask(ctx, http.MethodPost, jobs, map[string]any{
		"entrypoint":  fmt.Sprintf("%s %s", stack.Path(".dev/venv/bin/python"), stack.Path("e2e/bench/plain/call.py")),
		"runtime_env": map[string]any{"env_vars": map[string]string{"MODEL_URL": m.url}},
	}, &job)
	if err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var state struct {
			Status string `json:"status"`
		}
		if err := ask(ctx, http.MethodGet, jobs+job.ID, nil, &state); err != nil {
			return err
		}
		switch state.Status {
		case "SUCCEEDED":
			return nil
		case "FAILED", "STOPPED":
			return fmt.Errorf("job %s %s", job.ID, state.Status)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
