//go:build integration

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/workflows/contract"
)

const (
	inFlight     = 20               // deliberations that a fault meets at least
	slowest      = 8 * time.Second  // an answer's time, once the model is let go
	agentsAtMost = 3                // of one deliberation
	heartbeat    = 30 * time.Second // how long a worker may be silent before its work is another's
)

// field is where a row happens: workers, models and deliberations of its own.
type field struct {
	t      *testing.T
	row    row
	chance *rand.Rand
	queue  string
	slow   string // the model of each council's first agent: its answers outlast the fault
	quick  string // the model of the others, which may answer before, during or after it
	models []string
	trials []*trial

	turns    int             // what its councils put to Ray at the beginning
	calls    int             // of the models that are necessary: one a turn, and what the row's scripts ask for besides
	answers  int             // of the models that are necessary
	lost     map[string]bool // turns that died with their runner, and what they had answered if no worker had it yet
	healed   time.Time       // when the fault was over
	news     newsMode
	clusters []string // the apps of Ray that may hold its turns
}

// trial is one deliberation of a row.
type trial struct {
	request contract.Request
	run     client.WorkflowRun
	before  client.WorkflowRun // that has told of the start, where a reset goes on behind that
	ends    ending             // as it must
	ended   ended              // as it did
}

// newsMode is where a row's events must be in the end.
type newsMode int

const (
	inStream newsMode = iota
	inOutbox          // NATS isn't there: they wait
	nowhere           // NATS isn't configured
)

func newField(t *testing.T, r row, seed uint64) *field {
	t.Helper()
	f := &field{t: t, row: r, chance: chance(seed, r.name), queue: taskOf(t), clusters: []string{stack.RayAppURL}, lost: map[string]bool{}}
	f.slow, f.quick = f.model("slow"), f.model("quick")
	f.script(f.slow, f.answering(4*time.Second, slowest)...)
	f.script(f.quick, f.answering(100*time.Millisecond, 3*time.Second)...)
	return f
}

// model names a model of the row's own.
func (f *field) model(name string) string {
	model := modelOf(f.t, name)
	f.models = append(f.models, model)
	return model
}

func (f *field) script(model string, steps ...step) { script(f.t, model, steps...) }

// answering are steps that stream an answer, each over a time of its own, once the model is let go.
func (f *field) answering(from, to time.Duration) []step {
	return f.answeringOften(2*inFlight, from, to)
}

func (f *field) answeringOften(times int, from, to time.Duration) []step {
	const chunks = 20
	steps := make([]step, 0, times)
	for range times {
		lasts := from + time.Duration(f.chance.Int64N(int64(to-from)))
		answer := answers(fmt.Sprintf("%.2f", f.chance.Float64()))
		answer["hold"], answer["chunk_delay_seconds"] = true, lasts.Seconds()/chunks
		steps = append(steps, answer)
	}
	return steps
}

// worker starts a worker of the row's own.
func (f *field) worker(settings ...string) *worker {
	cluster := "DELIBERATION_RAY_CLUSTERS=local=" + stack.RayAppURL
	return startWorker(f.t, f.queue, append([]string{cluster}, settings...)...)
}

// workerBehindProxy starts a worker that reaches Ray by a proxy.
func (f *field) workerBehindProxy() *toxiproxy.Proxy {
	proxy, address := proxyToRay(f.t)
	f.worker("DELIBERATION_RAY_CLUSTERS=local=" + address)
	return proxy
}

// council is two or three agents, the first of which outlasts the fault.
func (f *field) council() []contract.Agent {
	models := []string{f.slow, f.quick, f.quick}
	return agents(models[:2+f.chance.IntN(agentsAtMost-1)]...)
}

// begin plans and starts the row's deliberations.
func (f *field) begin(ends ending, edits ...func(*contract.Request)) {
	f.t.Helper()
	f.plan(ends, edits...)
	f.start()
}

// plan makes the row's deliberations, which must end so. An edit makes their requests the row's own.
func (f *field) plan(ends ending, edits ...func(*contract.Request)) {
	for range inFlight + f.chance.IntN(6) {
		f.trials = append(f.trials, f.planOne(ends, edits...))
	}
}

func (f *field) planOne(ends ending, edits ...func(*contract.Request)) *trial {
	request := requestOf(f.t, f.council())
	request.Constraints.TimeoutSeconds = new(900) // no deadline but a row's own
	for _, edit := range edits {
		edit(&request)
	}
	agents := len(request.Agents)
	f.turns, f.calls, f.answers = f.turns+agents, f.calls+agents, f.answers+agents
	return &trial{request: request, ends: ends}
}

// start starts what is planned, as any client does.
func (f *field) start() {
	f.t.Helper()
	for _, tr := range f.trials {
		run, err := temporalClient.ExecuteWorkflow(f.t.Context(), client.StartWorkflowOptions{
			ID: tr.request.TaskID, TaskQueue: f.queue,
		}, contract.DeliberationName, tr.request)
		require.NoError(f.t, err)
		f.accept(tr, run)
	}
}

func (f *field) accept(tr *trial, run client.WorkflowRun) {
	tr.run = run
	f.t.Cleanup(func() {
		_ = temporalClient.TerminateWorkflow(context.Background(), run.GetID(), "", "the row is over")
	})
}

// running waits until the model holds every turn once: all deliberations are in flight.
func (f *field) running() {
	f.t.Helper()
	f.holding(f.turns)
}

// holding waits until the model has so many calls open.
func (f *field) holding(open int) {
	f.t.Helper()
	f.held(func(c *assert.CollectT) { require.Equal(c, open, f.open(c)) })
}

func (f *field) holdingAtLeast(open int) {
	f.t.Helper()
	f.held(func(c *assert.CollectT) { require.GreaterOrEqual(c, f.open(c), open) })
}

func (f *field) held(holds func(c *assert.CollectT)) {
	f.t.Helper()
	require.EventuallyWithT(f.t, holds, time.Duration(float64(patience)*max(1, *chaosSlow)), 500*time.Millisecond, "the model holds the turns")
}

// quiet waits until the model has no call open.
func (f *field) quiet() {
	f.t.Helper()
	f.holding(0)
}

func (f *field) open(t require.TestingT) int {
	open := 0
	for _, each := range f.made(t) {
		if each.Outcome == "open" {
			open++
		}
	}
	return open
}

// made are the calls that the row's models got so far.
func (f *field) made(t require.TestingT) []call {
	var made []call
	for _, model := range f.models {
		made = append(made, calls(t, model)...)
	}
	return made
}

// release lets the models answer.
func (f *field) release() {
	f.t.Helper()
	for _, model := range f.models {
		release(f.t, model)
	}
}

// moment lets a time pass that the seed decides.
func (f *field) moment() { time.Sleep(time.Duration(f.chance.IntN(2000)) * time.Millisecond) }

// midway is the moment at which most faults come: all deliberations are in flight, the models answer.
func (f *field) midway() {
	f.t.Helper()
	f.running()
	f.release()
	f.moment()
}

// seconds are a row's own bound, for a machine that others use too.
func (f *field) seconds(quiet int) *int { return new(int(float64(quiet) * *chaosSlow)) }

// over marks the fault's end: from here on the row must recover.
func (f *field) over() { f.healed = time.Now() }

// allowed is what the row may cost, given what its fault took with it.
func (f *field) allowed() allowance {
	allowed := f.row.allows
	allowed.calls = len(f.lost)
	if allowed.unheard {
		allowed.paid = len(f.lost)
	}
	allowed.recovery = time.Duration(float64(allowed.recovery) * *chaosSlow)
	allowed.left = time.Duration(float64(allowed.left) * *chaosSlow)
	return allowed
}
