package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// chance is a deliberation of which everything is decided by chance: its request, how its turns end, what fails, and
// when clients cancel it or send stop_now.
type chance struct {
	*stage

	deciding sync.Mutex // activities run at the same time
	random   *rand.Rand

	clusters bool
	unseen   bool // a stop has failed for good
	scripts  map[string]fakes.Script
	answers  []*stopAnswer
	left     []contract.EventRecord
	ended    map[domain.TurnID]contract.TurnOutcome // as the workflow learned it
	refs     map[domain.TurnID]contract.TurnRef
	awaited  map[string]domain.TurnID // by activity
}

func TestAnyOrder_OfFaultsAndAnswersEndsOnceAndLosesNothing(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := &chance{
				stage: newStage(t), random: rand.New(rand.NewPCG(seed, 0)), scripts: map[string]fakes.Script{},
				ended: map[domain.TurnID]contract.TurnOutcome{}, refs: map[domain.TurnID]contract.TurnRef{}, awaited: map[string]domain.TurnID{},
			}
			request := c.request()
			c.faults(request)
			c.watch()

			result, err := c.run(request)

			c.requireEventsInOrder()
			require.True(t, c.unseen || len(c.Ray.Live()) == 0, "turns outlive the deliberation")
			c.requireAnswers(result, err)
			if err == nil {
				c.requirePaidOnce(result)
			}
		})
	}
}

func (c *chance) number(below int) int {
	c.deciding.Lock()
	defer c.deciding.Unlock()
	return c.random.IntN(below)
}

func (c *chance) one(of int) bool { return c.number(of) == 0 }

func (c *chance) within(seconds int) time.Duration {
	return time.Duration(c.number(seconds*1000)) * time.Millisecond
}

func (c *chance) request() contract.Request {
	request := fakes.Council(1 + c.number(5))
	p := &contract.Protocol{}
	request.Protocol = p
	if len(request.Agents) > 1 && !c.one(3) {
		rounds := c.number(3)
		p.Review, p.Rounds = domain.ReviewPeer, &rounds
	}
	if c.one(3) {
		p.Mode = domain.ModeSynthesize
	}
	if c.one(2) {
		patience := 1 + c.number(30)
		p.Patience = &patience
	}
	tries := c.number(3)
	if c.one(3) {
		calls := len(request.Agents)*(1+tries) + c.number(30)
		p.MaxCalls = &calls
	}
	return queueTimeout(timeout(retries(request, tries), 10+c.number(200)), 10+c.number(60))
}

func (c *chance) faults(request contract.Request) {
	if c.clusters = c.one(2); c.clusters {
		c.environment.Current.Clusters = []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true, Room: true}}
		c.environment.Current.Grace = 10 * time.Second
	}
	for _, agent := range request.Agents {
		c.Ray.Agents[agent.AgentID] = c.script(agent.AgentID, fakes.Answer("a proposal", 0.5))
	}
	c.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		return c.script(fmt.Sprint(ref.Phase, ref.Round, ref.AgentID), disagreeing(ref)[0].Reply)
	}
	c.Ray.SubmitReplyFor = func(string) fakes.Reply[contract.SubmitTurnsResult] { return c.submitReply() }
	for range 12 {
		c.Ray.StopReplies = append(c.Ray.StopReplies, c.stopReply())
	}
	c.NATS.ReplyTo = c.natsReplies(c.number(4))
	if c.one(4) {
		c.cancelAt(c.within(60))
	}
	for i := range c.number(3) {
		c.answers = append(c.answers, c.stopNowAt(c.within(90), fmt.Sprint("client ", i)))
	}
}

func (c *chance) script(of string, good fakes.Reply[contract.TurnOutcome]) fakes.Script {
	if c.scripts[of] == nil {
		for range 6 {
			c.scripts[of] = append(c.scripts[of], c.attempt(good))
		}
	}
	return c.scripts[of]
}

func (c *chance) attempt(good fakes.Reply[contract.TurnOutcome]) fakes.Attempt {
	ends := []fakes.Reply[contract.TurnOutcome]{
		good, good, good, good, good, fakes.Failure(domain.ModelUnavailable, true), fakes.Failure(domain.InvalidOutput, true),
		fakes.Failure(domain.ModelRejected, false), fakes.Lost(),
	}
	if c.clusters {
		ends = append(ends, fakes.Unreachable())
	}
	switch n := c.number(len(ends) + 2); {
	case n == len(ends):
		return fakes.Never()
	case n > len(ends):
		return fakes.Attempt{Reply: fakes.Never().Reply, AtStop: &good.Value}
	default:
		return fakes.Attempt{Reply: ends[n].After(time.Duration(c.number(2)) * c.within(20))}
	}
}

var errTimedOut = temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)

func (c *chance) submitReply() fakes.Reply[contract.SubmitTurnsResult] {
	switch c.number(16) {
	case 0:
		return fakes.Reply[contract.SubmitTurnsResult]{Value: contract.SubmitTurnsResult{Refusal: "full", Elsewhere: c.clusters}, Delay: c.within(5)}
	case 1:
		return fakes.Reply[contract.SubmitTurnsResult]{Delay: c.within(30)}
	case 2:
		return fakes.Reply[contract.SubmitTurnsResult]{Err: errors.New("the worker died"), Delay: c.within(5)}
	case 3:
		return fakes.Reply[contract.SubmitTurnsResult]{Err: errTimedOut, Delay: c.within(60)}
	}
	return fakes.Reply[contract.SubmitTurnsResult]{}
}

func (c *chance) stopReply() fakes.Reply[contract.StopTurnsResult] {
	switch c.number(20) {
	case 0, 1:
		return fakes.Reply[contract.StopTurnsResult]{Err: errors.New("503")}
	case 2, 3:
		return fakes.Reply[contract.StopTurnsResult]{Delay: c.within(9)}
	case 4:
		c.unseen = true
		return fakes.Reply[contract.StopTurnsResult]{Err: errTimedOut, Delay: 20 * time.Second}
	}
	return fakes.Reply[contract.StopTurnsResult]{}
}

// natsReplies are those of a NATS that is well, away, slow, or all of it. The outbox finds it well.
func (c *chance) natsReplies(trouble int) func(int) fakes.Reply[contract.PublishEventsResult] {
	var outbox atomic.Bool
	c.onOutbox(func(in contract.OutboxInput) {
		c.left = in.Events
		outbox.Store(true)
	})
	return func(int) fakes.Reply[contract.PublishEventsResult] {
		switch {
		case outbox.Load() || trouble == 0 || !c.one(3):
			return stored
		case trouble == 1:
			return fakes.Reply[contract.PublishEventsResult]{Err: errNATS}
		case trouble == 2:
			return stored.After(c.within(4))
		}
		return fakes.Reply[contract.PublishEventsResult]{Err: errNATS, Delay: c.within(10)}
	}
}

// watch notes what the workflow learns of its turns. No assignment may have two turns on one cluster at the same time.
func (c *chance) watch() {
	clusters := map[domain.TurnID]string{}
	c.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var submit contract.SubmitTurnsInput
		var await contract.AwaitTurnInput
		switch info.ActivityType.Name {
		case contract.ActivityAwaitTurn:
			require.NoError(c, args.Get(&await))
			c.awaited[info.ActivityID] = await.Handle.TurnID
		case contract.ActivitySubmitTurns:
			require.NoError(c, args.Get(&submit))
			for _, ref := range submit.Turns {
				for id, other := range c.refs {
					_, ended := c.ended[id]
					same := other.Phase == ref.Phase && other.Round == ref.Round && other.AgentID == ref.AgentID && clusters[id] == submit.Cluster
					assert.False(c, same && !ended && id != ref.TurnID, "%s is asked twice", ref.AgentID)
				}
				c.refs[ref.TurnID], clusters[ref.TurnID] = ref, submit.Cluster
			}
		}
	})
	c.env.SetOnActivityCompletedListener(func(info *activity.Info, value converter.EncodedValue, err error) {
		var outcome contract.TurnOutcome
		var stopped contract.StopTurnsResult
		switch {
		case err != nil:
		case info.ActivityType.Name == contract.ActivityAwaitTurn && value.Get(&outcome) == nil && outcome.Kind != domain.OutcomeUnreachable:
			c.ended[c.awaited[info.ActivityID]] = outcome
		case info.ActivityType.Name == contract.ActivityStopTurns && value.Get(&stopped) == nil:
			for id, outcome := range stopped.Outcomes {
				_, known := c.ended[id]
				assert.False(c, known, "a turn is stopped that was seen to end")
				c.ended[id] = outcome
			}
		}
	})
}

func (c *chance) requireEventsInOrder() {
	c.Helper()
	last, ends, seen := 0, 0, map[string]bool{}
	for _, event := range append(c.NATS.Stored, c.left...) {
		if event.Kind.BestEffort() || seen[event.ID] {
			continue
		}
		seen[event.ID] = true
		number := 0
		_, err := fmt.Sscanf(event.ID, domain.EventPrefix(deliberationID, runID)+"%d-", &number)
		require.NoError(c, err)
		require.Greater(c, number, last)
		last = number
		if event.Kind == domain.EventCompleted || event.Kind == domain.EventFailed || event.Kind == domain.EventCancelled {
			ends++
		}
	}
	require.Equal(c, 1, ends)
}

func (c *chance) requireAnswers(result contract.Result, err error) {
	c.Helper()
	for _, answer := range c.answers {
		if answer.done {
			require.Equal(c, err == nil, answer.err == nil)
			require.Equal(c, result.StopReason, answer.result.StopReason)
			require.Equal(c, result.BestResult, answer.result.BestResult)
		}
	}
}

func (c *chance) requirePaidOnce(result contract.Result) {
	c.Helper()
	var calls, tokens int
	ranked := map[string]bool{}
	for _, proposal := range result.Results {
		ranked[proposal.AgentID] = true
	}
	for id, outcome := range c.ended {
		calls += outcome.Calls
		tokens += outcome.Usage.PromptTokens + outcome.Usage.CompletionTokens
		require.True(c, c.refs[id].Phase != domain.Propose || outcome.Kind != domain.OutcomeCompleted || ranked[c.refs[id].AgentID], "a proposal is lost")
	}
	require.Equal(c, calls, result.Usage.LLMCalls)
	require.Equal(c, tokens, result.Usage.PromptTokens+result.Usage.CompletionTokens)
}
