package ray_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// patience is how long a test waits for an event.
const patience = 2 * time.Minute

// rayApp is a Ray app with a scripted model: the stand-in of raytest, or a real one.
type rayApp interface {
	config() ray.Config
	modelURL() string
	// script sets how the model's calls end, in order; the last one repeats.
	script(t *testing.T, model string, replies ...reply)
	// hold makes the model's calls last until release is called, at the latest.
	hold(t *testing.T, model string, then reply) (release func())
	calls(t require.TestingT, id domain.TurnID) int
	// listen lets the ear hear a deliberation, by a client of this configuration or by NATS.
	listen(t *testing.T, config *ray.Config, deliberation string, heard *ear)
	// fill makes the council's runner refuse new deliberations for the council's model.
	fill(t *testing.T, c council)
	// restart kills the runner that the handle names, which comes back as another incarnation.
	restart(t *testing.T, handle domain.Handle)
}

// reply is how one call of the model ends.
type reply struct {
	text    string
	failure domain.FailureKind
	hangs   bool
	putsOff bool
}

func says(text string) reply                 { return reply{text: text} }
func fails(failure domain.FailureKind) reply { return reply{failure: failure} }
func hangs() reply                           { return reply{hangs: true} }
func putsOff() reply                         { return reply{putsOff: true} }

// council is one deliberation's turns on an app, with a model of its own.
type council struct {
	rayApp
	*ray.Client
	model      string
	request    domain.DeliberationRequest
	submission domain.Submission
}

func newCouncil(t *testing.T, app rayApp, agents int) council {
	t.Helper()
	model := "model-" + strings.ToLower(rand.Text())
	c := council{rayApp: app, model: model, request: requestOf(t, app.modelURL(), model, agents)}
	c.submission = submissionBy(c.request, "owner-"+model, "deliberation-"+model, 1)
	config := app.config()
	config.Owner = c.submission.Owner
	c.Client = newClient(t, config)
	t.Cleanup(func() {
		// Best effort: the app may be broken on purpose, and it drops the rest by itself.
		_ = newClient(t, app.config()).Forget(context.WithoutCancel(t.Context()), c.order(c.lost()...))
	})
	return c
}

func newClient(t *testing.T, config ray.Config) *ray.Client {
	t.Helper()
	client, err := ray.New(config)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func submissionOf(t *testing.T, modelURL, model string, agents int) domain.Submission {
	t.Helper()
	return submissionBy(requestOf(t, modelURL, model, agents), "owner-"+model, "deliberation-"+model, 1)
}

func requestOf(t *testing.T, modelURL, model string, agents int) domain.DeliberationRequest {
	t.Helper()
	spec := domain.RequestSpec{
		TaskID: "T-42", TaskDescription: "Add rate limiting to the login API", Role: "DEV",
		Constraints: domain.ConstraintsSpec{StoryID: "S-7", PlanID: "P-3", TimeoutSeconds: 300, QueueTimeoutSeconds: 60},
		VLLMURL:     modelURL, VLLMModel: model,
		Protocol: domain.ProtocolSpec{
			Review: domain.ReviewNone, Rounds: 1, Temperature: 0.7, MaxTokens: 256,
			ExtraBody: map[string]string{"chat_template_kwargs": `{"enable_thinking":false}`},
		},
	}
	for i := range agents {
		agent := domain.AgentSpec{AgentID: fmt.Sprintf("agent-%d", i+1), Role: "DEV", Model: model}
		spec.Agents = append(spec.Agents, agent)
	}
	request, err := domain.NewDeliberationRequest(spec)
	require.NoError(t, err)
	return request
}

// submissionBy is what the request's agents are asked for the n-th time.
func submissionBy(request domain.DeliberationRequest, owner, deliberation string, attempt int) domain.Submission {
	council := domain.NewCouncil(request, domain.RunKey{WorkflowID: deliberation, OriginalRunID: "run"})
	turns := make([]domain.Turn, 0, len(request.Agents()))
	for _, assignment := range council.Plan().Next {
		turns = append(turns, council.Turn(assignment).WithAttempt(attempt))
	}
	submission := request.Submission(turns, domain.Texts{})
	submission.Owner, submission.Deliberation, submission.OriginalRun = owner, deliberation, "run"
	submission.Run, submission.Keep = time.Minute, 5*time.Minute
	return submission
}

// attempt is the council's submission as its n-th attempt.
func (c council) attempt(n int) domain.Submission {
	return submissionBy(c.request, c.submission.Owner, c.submission.Deliberation, n)
}

func (c council) id() domain.TurnID { return c.submission.Asks[0].TurnID }

// lost returns handles for turns whose submit wasn't answered.
func (c council) lost() []domain.Handle {
	handles := make([]domain.Handle, 0, len(c.submission.Asks))
	for _, ask := range c.submission.Asks {
		handles = append(handles, domain.Handle{TurnID: ask.TurnID, Cluster: c.Name()})
	}
	return handles
}

func (c council) order(handles ...domain.Handle) domain.StopOrder {
	return domain.StopOrder{
		Owner: c.submission.Owner, Deliberation: c.submission.Deliberation, Handles: handles, Reason: "deadline",
	}
}

// submit submits the turns. Ray must accept or attach all of them.
func (c council) submit(t *testing.T) []domain.Handle {
	t.Helper()
	acceptance, err := c.Submit(t.Context(), c.submission)
	require.NoError(t, err)
	require.Empty(t, acceptance.Cancelled)
	require.Len(t, acceptance.Handles, len(c.submission.Asks))
	return acceptance.Handles
}

// look waits for one turn, and says for it that nobody answered.
func look(ctx context.Context, client *ray.Client, handle domain.Handle, wait time.Duration) (domain.Observation, error) {
	seen, err := client.Await(ctx, []domain.Handle{handle}, wait)
	var silent *domain.Error
	switch {
	case errors.As(err, &silent):
		return domain.Observation{TurnID: handle.TurnID, Unreachable: silent.Err.Error(), RetryAfter: silent.RetryAfter}, nil
	case err != nil:
		return domain.Observation{}, err
	}
	return seen[0], nil
}

func (c council) look(t require.TestingT, handle domain.Handle, wait time.Duration) domain.Observation {
	seen, err := look(context.Background(), c.Client, handle, wait)
	require.NoError(t, err)
	return seen
}

// see waits until Ray reports that the turn no longer runs.
func (c council) see(t *testing.T, handle domain.Handle) domain.Observation {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		seen := c.look(t, handle, 5*time.Second)
		if seen.Unreachable == "" && !seen.Runs() {
			return seen
		}
	}
	require.FailNow(t, "the turn didn't end in time")
	return domain.Observation{}
}

// completed waits until all turns have completed, without reading their answers.
func (c council) completed(t *testing.T) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		inventory, err := c.Turns(t.Context(), c.submission.Owner)
		require.NoError(collect, err)
		require.Len(collect, inventory.Turns, len(c.submission.Asks))
		for _, held := range inventory.Turns {
			require.Equal(collect, domain.RayCompleted, held.State)
		}
	}, patience, 20*time.Millisecond)
}

func (c council) stop(t *testing.T, handles ...domain.Handle) []domain.Observation {
	t.Helper()
	seen, err := c.Stop(t.Context(), c.order(handles...))
	require.NoError(t, err)
	require.Len(t, seen, len(handles))
	return seen
}

// called waits until the model was called for the first turn.
func (c council) called(t *testing.T) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		require.Positive(collect, c.calls(collect, c.id()))
	}, patience, 10*time.Millisecond)
}

func kindOf(t *testing.T, err error) domain.ErrorKind {
	t.Helper()
	var refused *domain.Error
	require.ErrorAs(t, err, &refused)
	return refused.Kind
}
