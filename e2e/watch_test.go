//go:build integration

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// proposes is a step that streams a proposal, a word in each chunk.
func proposes(words string, secondsBetween float64) stack.Step {
	return stack.Step{"phase": "propose", "chunk_delay_seconds": secondsBetween, "text": `{"proposal":"` + words + `","reasoning":"because","score":0.5}`}
}

func held(step stack.Step) stack.Step {
	step["hold"] = true
	return step
}

// beginWatched starts a council of three. The third agent is held before its proposal, the others before their reviews.
func beginWatched(t *testing.T, queue string) (run client.WorkflowRun, quick, slow string) {
	t.Helper()
	quick, slow = stack.Model(t, "quick"), stack.Model(t, "slow")
	said := proposes("Early words of a quick agent.", 0)
	stack.Script(t, quick, said, said, held(stack.Step{"phase": "review"}))
	stack.Script(t, slow, held(proposes("Live words of a slow agent"+strings.Repeat(" that goes on", 60)+".", 0.05)), stack.Step{"phase": "review"})
	request := stack.Request(t, stack.Agents(quick, quick, slow))
	request.Protocol = &contract.Protocol{Review: domain.ReviewPeer, Rounds: new(0)}
	run = stack.Begin(t, queue, request)
	stack.AwaitOpenCalls(t, slow, 1)
	stack.Eventually(t, "the quick agents have made their proposals", func(c *assert.CollectT) {
		assert.Len(c, stack.Calls(c, quick), 2)
		assert.Zero(c, stack.OpenCalls(c, quick))
	})
	return run, quick, slow
}

func TestAPersonWatchesADeliberation(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	run, quick, slow := beginWatched(t, queue)

	view := stack.StarterOnTerminal(t, 160, 50, []string{"NATS_URL=" + stack.At.NATSURL}, "watch", run.GetID())
	shows := func(what string, texts ...string) {
		t.Helper()
		stack.Eventually(t, what, func(c *assert.CollectT) {
			for _, text := range texts {
				assert.Contains(c, view.Screen(), text)
			}
		})
	}

	shows("the text from before the person came", "propose", "2 of 3 agents done", "Early words of a quick agent.")
	stack.Release(t, slow)
	shows("text while it comes", "Live words of a slow agent that goes on", "tokens/s")
	view.Press(t, "?")
	shows("the help", "scroll it by a page")
	view.Press(t, "?c")
	shows("the question", "Cancel the deliberation? y/n")
	view.Press(t, "n")
	shows("the next phase", "review r1", "Ranking", "Reviews", "? help")
	stack.Release(t, quick)
	code, screen := view.Wait(t)

	require.Zero(t, code, screen)
	result := stack.Result(t, run)
	require.Equal(t, domain.RankedByPeers, result.RankingBasis)
	require.NotContains(t, screen, "? help", "the view is off the terminal")
	require.Contains(t, screen, result.BestResult.AgentID)
	require.Contains(t, screen, "completed")
}

// requireText requires that watchers get the text of an agent, whether its runner publishes it or the answers of waits
// bring it to the worker.
func requireText(t *testing.T, queue string) {
	t.Helper()
	model := stack.Model(t, "heard")
	stack.Script(t, model, proposes("Words that somebody hears"+strings.Repeat(" at last", 10)+".", 0.1))
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	heard := make(chan nats.Heard, 10_000)
	stop, err := nats.FollowTokens(nats.Config{URL: stack.At.NATSURL}, run.GetID(), func(said nats.Heard) { heard <- said })
	require.NoError(t, err)
	defer stop()
	var text strings.Builder
	for sequence := 1; ; sequence++ {
		select {
		case said := <-heard:
			require.Equal(t, sequence, said.Sequence)
			text.WriteString(said.Text)
			if said.State != "" {
				require.Equal(t, stack.Result(t, run).BestResult.AgentID, said.AgentID)
				require.Contains(t, text.String(), "Words that somebody hears at last at last")
				return
			}
		case <-time.After(stack.Patience):
			require.Fail(t, "the text doesn't come to its end", text.String())
		}
	}
}
