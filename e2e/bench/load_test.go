//go:build integration

package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// load is what a number of workflows took.
type load struct {
	count int
	took  time.Duration
}

func (l load) perSecond() float64 { return float64(l.count) / l.took.Seconds() }

// each returns the milliseconds of each workflow out of the seconds of all.
func (l load) each(seconds float64) float64 { return seconds * 1000 / float64(l.count) }

var started atomic.Int64 // numbers the workflows of a run

// run starts workflows, at most atOnce of them at a time, and waits until all have ended.
func run(t *testing.T, count, atOnce int, one func(ctx context.Context, id string) error) load {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(atOnce)
	began := time.Now()
	for range count {
		id := fmt.Sprintf("%s-%d", stack.Task(t), started.Add(1))
		group.Go(func() error { return one(ctx, id) })
	}
	require.NoError(t, group.Wait())
	return load{count: count, took: time.Since(began)}
}

// deliberate returns a function that starts a deliberation and waits for its result.
func deliberate(queue string, of func(id string) contract.Request) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		begun, err := stack.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, contract.DeliberationName, of(id))
		if err != nil {
			return err
		}
		var result contract.Result
		if err := begun.Get(ctx, &result); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if result.HasFailures {
			return fmt.Errorf("%s: %v", id, result.Failures)
		}
		return nil
	}
}

// council returns requests of councils whose agents ask these models of the bench's own server one after the other.
func (m *model) council(agents int, models ...string) func(id string) contract.Request {
	return func(id string) contract.Request {
		request := fakes.Council(agents)
		request.TaskID, request.VLLMURL, request.VLLMModel = id, m.url, models[0]
		request.Constraints.TimeoutSeconds = new(3600)
		for n := range request.Agents {
			request.Agents[n].Role, request.Agents[n].Model = "DEV", models[n%len(models)]
		}
		return request
	}
}
