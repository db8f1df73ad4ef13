//go:build integration

package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
)

// lab is where an experiment happens, with workers, models and deliberations of its own.
type lab struct {
	t          *testing.T
	experiment experiment
	chance     *rand.Rand
	queue      string
	clusters   []string                    // the Ray apps that may hold the lab's turns
	slowModel  string                      // of each council's first agent; its answers outlast the fault
	quickModel string                      // of the other agents; it may answer before, during or after the fault
	models     []string                    // all of them
	holding    map[domain.PhaseKind]string // the model that holds a phase, where councils review
	subjects   []*subject
	eventsGo   eventsPlace

	turns          int             // that the councils submit at the beginning
	callsNeeded    int             // one a turn, and those that a model's script makes necessary
	answersNeeded  int             // complete ones
	answeredBefore int             // in earlier phases, where councils review
	doomed         map[string]bool // by submission id
	faultEnd       time.Time
}

// eventsPlace is where the events of the subjects must be in the end.
type eventsPlace int

const (
	inStream eventsPlace = iota
	inOutbox             // they wait, since NATS isn't there
	nowhere              // NATS isn't configured
)

func newLab(t *testing.T, e experiment, seed uint64) *lab {
	t.Helper()
	l := &lab{
		t: t, experiment: e, chance: chanceOf(seed, e.name), queue: stack.Task(t),
		clusters: []string{stack.At.RayAppURL}, doomed: map[string]bool{},
	}
	l.slowModel, l.quickModel = l.model("slow"), l.model("quick")
	l.script(l.slowModel, l.answers(4*time.Second, longestAnswer)...)
	l.script(l.quickModel, l.answers(100*time.Millisecond, 3*time.Second)...)
	l.holding = map[domain.PhaseKind]string{}
	if e.reviewed {
		for _, held := range heldPhases {
			l.holding[held.kind] = l.model(string(held.kind))
		}
	}
	return l
}

// model names a model of the lab.
func (l *lab) model(name string) string {
	model := stack.Model(l.t, name)
	l.models = append(l.models, model)
	return model
}

func (l *lab) script(model string, steps ...stack.Step) { stack.Script(l.t, model, steps...) }

// answers are steps that each stream an answer over a time of their own, once the model is released.
func (l *lab) answers(from, to time.Duration) []stack.Step {
	return l.manyAnswers(2*inFlight, from, to)
}

func (l *lab) manyAnswers(count int, from, to time.Duration) []stack.Step {
	const chunks = 20
	steps := make([]stack.Step, 0, count)
	for range count {
		lasts := from + time.Duration(l.chance.Int64N(int64(to-from)))
		answer := stack.Answers(fmt.Sprintf("%.2f", l.chance.Float64()))
		answer["hold"], answer["chunk_delay_seconds"] = true, lasts.Seconds()/chunks
		steps = append(steps, answer)
	}
	return steps
}

// releaseModels lets the models answer.
func (l *lab) releaseModels() {
	l.t.Helper()
	for _, model := range l.models {
		stack.Release(l.t, model)
	}
}

// calls are the calls that the lab's models got so far.
func (l *lab) calls(t require.TestingT) []stack.Call {
	var calls []stack.Call
	for _, model := range l.models {
		calls = append(calls, stack.Calls(t, model)...)
	}
	return calls
}

// worker starts a worker of the lab.
func (l *lab) worker(settings ...string) *stack.Worker {
	cluster := "DELIBERATION_RAY_CLUSTERS=local=" + stack.At.RayAppURL
	return stack.StartWorker(l.t, l.queue, append([]string{cluster}, settings...)...)
}

// workerBehindProxy starts a worker that reaches Ray through a proxy.
func (l *lab) workerBehindProxy() *toxiproxy.Proxy {
	proxy, app := stack.ProxyToRay(l.t)
	l.worker("DELIBERATION_RAY_CLUSTERS=local=" + app)
	return proxy
}

// pause lasts up to two seconds, as the seed decides.
func (l *lab) pause() { time.Sleep(time.Duration(l.chance.IntN(2000)) * time.Millisecond) }

// endFault starts the clock of the recovery: the fault is over, or it is about to happen and stays.
func (l *lab) endFault() { l.faultEnd = time.Now() }
