package activities_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// names is a registry that keeps the names.
type names []string

func (n *names) RegisterActivityWithOptions(_ any, options activity.RegisterOptions) {
	*n = append(*n, options.Name)
}

func TestRegister_BindsEveryStepOnItsOwnQueue(t *testing.T) {
	var main, submit, wait names

	activities.Register(activities.Workers{Main: &main, Submit: &submit, Wait: &wait}, activities.Dependencies{})

	require.Equal(t, names{"SubmitTurns"}, submit)
	require.Equal(t, names{"SubmitTurns", "AwaitTurn"}, wait, "further attempts don't queue after councils")
	require.ElementsMatch(t, workflows.StepNames(), append(main, wait...))
}

// The server retries a wrapped non-retryable error, so this test counts the tries.
func TestRegister_TriesAFatalErrorExactlyOnce(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		tries int
	}{
		"fatal":                {&domain.Error{Kind: domain.KindDenied, Op: "submit", Err: errors.New("no")}, 1},
		"fatal, and wrapped":   {fmt.Errorf("submit: %w", &domain.Error{Kind: domain.KindURL, Op: "submit", Err: errors.New("no")}), 1},
		"unknown to all of us": {errors.New("surprise"), 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWorker(t)
			in := submission(t, time.Minute)
			for range 10 {
				w.ray.refusals = append(w.ray.refusals, c.err)
			}
			suite := testsuite.WorkflowTestSuite{}
			suite.SetLogger(fakes.SilentLogger())
			env := suite.NewTestWorkflowEnvironment()
			activities.Register(activities.Workers{Main: env, Submit: env, Wait: env}, w.with)
			env.RegisterWorkflowWithOptions(submitOnly, workflow.RegisterOptions{Name: "SubmitOnly"})

			env.ExecuteWorkflow("SubmitOnly", in)

			require.True(t, env.IsWorkflowCompleted())
			require.Error(t, env.GetWorkflowError())
			require.Equal(t, c.tries, w.ray.submits())
		})
	}
}

func submitOnly(ctx workflow.Context, in contract.SubmitTurnsInput) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 4},
	})
	return workflow.ExecuteActivity(ctx, workflows.SubmitTurns.Name(), in).Get(ctx, nil)
}
