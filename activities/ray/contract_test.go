package ray_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// behaviour is what package raytest and the real app share.
var behaviour = []struct {
	name string
	test func(*testing.T, rayApp)
}{
	{"a submitted turn is accepted and brings its answer", acceptsAndAnswers},
	{"the same id attaches and is paid once", attaches},
	{"a wait ends soon after the turn", endsWithTheTurn},
	{"a wait ends when its time is over", endsWithItsTime},
	{"a wait for many names what has ended", waitsForMany},
	{"an unknown turn ends no wait for others", unknownBesideOthers},
	{"long answers come one after the other", readsLongAnswersInParts},
	{"a wait takes as many turns as it says", takesAsManyAsItSays},
	{"a wait brings text while it comes, if it is wanted", bringsText},
	{"turns of several deliberations are forgotten together", forgetsTogether},
	{"a failed call says how it failed", saysHowItFailed},
	{"a turn ends by itself after its time", timesOut},
	{"a model server that puts calls off is waited for", waitsForModel},
	{"a stop of a turn that was put off brings the server's words", stopBringsWords},
	{"an outcome is kept for its time", keepsForItsTime},
	{"a stop aborts and says what was paid", stops},
	{"a stop of a turn that had completed brings its result", stopBringsResult},
	{"a stop finds a turn without its runner", stopsWithoutRunner},
	{"a submit after its stop starts nothing", lateAfterStop},
	{"a submit after it was forgotten starts nothing", lateAfterForget},
	{"a live runner says what it doesn't know", unknownTurn},
	{"a runner that was restarted has lost its turns", restarted},
	{"turns of another Ray cluster are not lost while it may live", ofAnotherCluster},
	{"a full runner refuses the whole submission", full},
	{"a full runner takes more of a deliberation that has begun", fullForOthers},
	{"a submit with a wrong token is denied, once that has lasted", denied},
	{"a wrong token ends no turn in flight", deniedInFlight},
	{"a stop of long answers brings all of them", stopsLongAnswers},
	{"a malformed submission is rejected", rejected},
	{"a model server that isn't allowed is refused", urlNotAllowed},
	{"a turn is unknown to another owner", anotherOwner},
	{"the app lists what it holds, and itself", lists},
	{"a caller that gives up gets the context's error", givesUp},
}

func runContract(t *testing.T, open func(*testing.T) rayApp) {
	t.Helper()
	for _, each := range behaviour {
		t.Run(each.name, func(t *testing.T) { each.test(t, open(t)) })
	}
}

// answerText has every kind of character that encoders treat specially.
const answerText = "I propose: limit <logins> & \"tell\" \u2028 議論 🎯 \\ {so}"

func acceptsAndAnswers(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 3)
	c.script(t, c.model, says(answerText))
	handles := c.submit(t)
	for i, handle := range handles {
		require.Equal(t, c.submission.Asks[i].TurnID, handle.TurnID, "in request order")
		require.Equal(t, c.Name(), handle.Cluster)
		require.Equal(t, handles[0].Runner, handle.Runner, "one deliberation, one runner")
		require.NotEmpty(t, handle.Incarnation)
		seen := c.see(t, handle)
		require.Equal(t, domain.RayCompleted, seen.State)
		require.Equal(t, handle.TurnID, seen.TurnID)
		require.Equal(t, handle.Incarnation, seen.Incarnation)
		require.Equal(t, answerText, seen.Completion.Text)
		require.Equal(t, "stop", seen.Completion.FinishReason)
		require.Equal(t, "json_schema", seen.Completion.ResponseFormat)
		require.Equal(t, c.model, seen.Completion.Model)
		require.Positive(t, seen.Completion.Duration)
		require.Positive(t, seen.Completion.FirstToken)
		require.Equal(t, 1, seen.Usage.Calls)
		require.Positive(t, seen.Usage.PromptTokens)
		require.Positive(t, seen.Usage.CompletionTokens)
		require.Equal(t, seen.Usage, seen.Completion.Usage)
	}
}

func attaches(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 2)
	release := c.hold(t, c.model, says(answerText))
	first := c.submit(t)
	require.Equal(t, first, c.submit(t), "while it runs")
	release()
	c.see(t, first[0])
	require.Equal(t, first, c.submit(t), "after its end")
	require.Equal(t, domain.RayCompleted, c.see(t, first[0]).State)
	require.Equal(t, 1, c.calls(t, c.id()))
}

func endsWithTheTurn(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	release := c.hold(t, c.model, says(answerText))
	handle := c.submit(t)[0]
	go func() {
		time.Sleep(100 * time.Millisecond) // most likely the wait is open by now; if not, it ends immediately
		release()
	}()
	begun := time.Now()
	seen := c.look(t, handle, 30*time.Second)
	require.Equal(t, domain.RayCompleted, seen.State)
	require.Less(t, time.Since(begun), 20*time.Second, "long before its time")
}

func endsWithItsTime(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handle := c.submit(t)[0]
	c.called(t)
	begun := time.Now()
	seen := c.look(t, handle, 300*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begun), 300*time.Millisecond)
	require.Equal(t, domain.OutcomeRunning, domain.Judge(handle, seen).Kind)
}

func saysHowItFailed(t *testing.T, app rayApp) {
	t.Helper()
	for kind, want := range map[domain.FailureKind]struct {
		retryable bool
		calls     int // a request that is refused generates nothing, and isn't paid
	}{
		domain.ModelUnavailable: {true, 1}, domain.Truncated: {true, 1}, domain.AnswerTooLarge: {false, 1},
		domain.ModelRejected: {false, 0}, domain.ContextTooLong: {false, 0},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := newCouncil(t, app, 1)
			c.script(t, c.model, fails(kind))
			handle := c.submit(t)[0]
			seen := c.see(t, handle)
			outcome := domain.Judge(handle, seen)
			require.Equal(t, domain.OutcomeFailed, outcome.Kind)
			require.Equal(t, kind, outcome.Failure.Kind())
			require.Equal(t, want.retryable, outcome.Failure.Retryable())
			require.NotEmpty(t, outcome.Failure.Message())
			require.Equal(t, want.calls, seen.Usage.Calls)
		})
	}
}

func waitsForModel(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, putsOff(), says(answerText))
	handle := c.submit(t)[0]
	c.called(t)
	seen := c.look(t, handle, 0)
	require.Equal(t, domain.OutcomeRunning, domain.Judge(handle, seen).Kind)
	require.Equal(t, http.StatusServiceUnavailable, seen.Waiting.Status)
	require.Contains(t, seen.Waiting.Reason, c.model)
	require.Contains(t, seen.Waiting.Reason, "503: the model is being loaded")
	require.False(t, seen.Waiting.Since.IsZero())
	require.False(t, seen.Waiting.NextTry.Before(seen.Waiting.Since))
	seen = c.see(t, handle)
	require.Equal(t, answerText, seen.Completion.Text)
	require.Equal(t, 1, seen.Usage.Calls, "a call that was put off doesn't count")
	require.Equal(t, domain.Waiting{}, seen.Waiting)
}

func stopBringsWords(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, putsOff())
	handle := c.submit(t)[0]
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		seen := c.look(collect, handle, 0)
		require.NotEmpty(collect, seen.Waiting.Reason)
	}, patience, 10*time.Millisecond)
	seen := c.stop(t, handle)[0]
	require.Equal(t, domain.RayFailed, seen.State)
	require.Equal(t, domain.ModelOverloaded, seen.Failure.Kind())
	require.False(t, seen.Failure.Retryable())
	require.Contains(t, seen.Failure.Message(), "the model is being loaded")
	require.Zero(t, seen.Usage.Calls)
}

func timesOut(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	c.submission.Run = time.Second
	seen := c.see(t, c.submit(t)[0])
	require.Equal(t, domain.ModelTimeout, seen.Failure.Kind())
	require.True(t, seen.Failure.Retryable())
}

func keepsForItsTime(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, says(answerText))
	c.submission.Keep = 5 * time.Second
	handle := c.submit(t)[0]
	require.Equal(t, domain.RayCompleted, c.see(t, handle).State)
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		seen := c.look(collect, handle, 0)
		require.Equal(collect, domain.RayUnknown, seen.State)
	}, patience, 50*time.Millisecond)
}

func lists(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 2)
	c.script(t, c.model, hangs())
	handles := c.submit(t)
	inventory, err := c.Turns(t.Context(), c.submission.Owner)
	require.NoError(t, err)
	held := inventory.Turns
	require.Len(t, held, 2)
	require.Empty(t, inventory.Unheard)
	listed := []domain.Handle{held[0].Handle(c.Name()), held[1].Handle(c.Name())}
	require.ElementsMatch(t, handles, listed)
	require.Equal(t, c.submission.Deliberation, held[0].Deliberation)
	require.Equal(t, map[string]string{"task_id": "T-42", "role": "DEV", "run": "run"}, held[0].Labels)
	require.Contains(t, []string{"agent-1", "agent-2"}, held[0].AgentID)
	require.WithinDuration(t, time.Now(), held[0].AcceptedAt, time.Minute)
	nobodys, err := c.Turns(t.Context(), "owner of & nothing?")
	require.NoError(t, err)
	require.Empty(t, nobodys.Turns)

	info, err := c.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, info.APIVersion)
	require.GreaterOrEqual(t, info.InFlight, 2)
	require.NotEmpty(t, info.Build)
	names := make([]string, 0, len(info.Runners))
	for _, runner := range info.Runners {
		names = append(names, runner.Name)
	}
	require.Contains(t, names, handles[0].Runner)
}

func givesUp(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handle := c.submit(t)[0]
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := look(ctx, c.Client, handle, 20*time.Second)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = c.Submit(ctx, c.submission)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = c.Stop(ctx, c.order(handle))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, c.Forget(ctx, c.order(handle)), context.DeadlineExceeded)
	require.Equal(t, domain.OutcomeRunning, c.glance(t, handle), "the turn goes on")
}

// glance returns the outcome of one look at the turn.
func (c council) glance(t *testing.T, handle domain.Handle) domain.OutcomeKind {
	t.Helper()
	seen := c.look(t, handle, 0)
	return domain.Judge(handle, seen).Kind
}
