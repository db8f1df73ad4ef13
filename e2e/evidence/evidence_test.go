//go:build integration

package evidence

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

var (
	each   = flag.Int("tasks", 2, "how many tasks of each kind")
	agents = flag.Int("agents", 3, "how many agents a council has")
	rounds = flag.Int("rounds", 1, "how often proposals may be revised")
	atOnce = flag.Int("at-once", 4, "how many deliberations run at a time")
	seed   = flag.Uint64("seed", 1, "decides which tasks there are")
	output = flag.String("table", "", "the file that gets the table")
)

func TestMain(m *testing.M) { os.Exit(stack.Main(m)) }

// mostAgents is how many agents a council may have.
const mostAgents = 64

// TestEvidence answers the same tasks in each way. The equal vote has as many agents as the tokens of the
// deliberations pay for.
func TestEvidence(t *testing.T) {
	single, vote, self := &way{name: "single"}, &way{name: fmt.Sprintf("vote of %d", *agents)}, &way{name: fmt.Sprintf("best of %d by own scores", *agents)}
	deliberate := &way{name: fmt.Sprintf("deliberate, %d agents", *agents)}
	all := tasks(*seed, *each)
	forEach(all, func(each task) {
		alone := ask(t, each, *agents, domain.ReviewNone)
		single.add(alone.singles(each)...)
		vote.add(alone.vote(each))
		self.add(alone.winner(each))
	})
	forEach(all, func(each task) { deliberate.add(ask(t, each, *agents, domain.ReviewPeer).winner(each)) })
	_, one, _ := single.perTask()
	_, council, _ := deliberate.perTask()
	many := min(mostAgents, max(1, int(council/max(1, one)+0.5)))
	equal := &way{name: fmt.Sprintf("vote of %d, at equal tokens", many)}
	forEach(all, func(each task) { equal.add(ask(t, each, many, domain.ReviewNone).vote(each)) })

	shown := table([]*way{single, vote, equal, self, deliberate}) +
		fmt.Sprintf("\n%d tasks of each kind, seed %d, model %s\n", *each, *seed, os.Getenv("DELIBERATION_VLLM_MODEL"))
	t.Log("\n" + shown)
	if *output != "" {
		require.NoError(t, os.WriteFile(*output, []byte(shown), 0o600))
	}
	require.Len(t, deliberate.answered, len(all))
	_, tokens, _ := deliberate.perTask()
	require.Positive(t, tokens, "no deliberation was paid: is the model server there?")
}

// forEach does something for every task, some at a time.
func forEach(all []task, do func(task)) {
	var running errgroup.Group
	running.SetLimit(*atOnce)
	for _, each := range all {
		running.Go(func() error { do(each); return nil })
	}
	_ = running.Wait() // it can't fail
}

// asked is a deliberation about a task, as it ended.
type asked struct {
	result contract.Result
	usage  contract.TotalUsage
	took   time.Duration
}

// ask starts a deliberation about a task and waits for its end. A failed one has no results, but it has cost.
func ask(t *testing.T, about task, council int, review string) asked {
	t.Helper()
	request := requestOf(t, about, council, review)
	started := time.Now()
	run, err := stack.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: request.TaskID, TaskQueue: contract.DefaultTaskQueue}, contract.DeliberationName, request)
	require.NoError(t, err)
	var done asked
	err = run.Get(t.Context(), &done.result)
	done.usage, done.took = done.result.Usage, time.Since(started)
	if failed, is := errors.AsType[*temporal.ApplicationError](err); is {
		var details contract.FailureDetails
		_ = failed.Details(&details) // a refused request has none
		done.usage = details.Usage
		t.Logf("%s: %s", request.TaskID, failed.Message())
	} else {
		require.NoError(t, err)
	}
	return done
}
