package activities

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/activities/statistics"
	"deliberation.io/deliberation/activities/waiting"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

// Registry is implemented by a worker and a test environment.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Workers are the registries of the three task queues. They may be the same one.
type Workers struct {
	Main   Registry // stop, publish, close, count: work that must never wait for waiting work
	Submit Registry
	Wait   Registry
}

// Dependencies are what the activities work with.
type Dependencies struct {
	Clusters  map[string]domain.RayCluster // by name
	Publisher domain.EventPublisher        // nil if no events are wanted
	Temporal  statistics.Temporal
	Owner     string // the namespace's id; turns on Ray carry it
	// States returns what this worker last learned about its clusters; nil if there is only one.
	States func() []domain.ClusterState
	// DataConverter is the one of the workers' client. It reads histories and memos; nil is the SDK's default.
	DataConverter converter.DataConverter
}

// Keys of log lines. No line carries text of a prompt or an answer.
const (
	keyDeliberation = "deliberation_id"
	keyTurn         = "turn_id"
)

// set has the activities as methods.
type set struct {
	Dependencies

	publishing chan struct{}
	waits      *waiting.Room
	forgets    *forgets
	briefs     *briefs
}

func newSet(needs Dependencies) set {
	if needs.DataConverter == nil {
		needs.DataConverter = converter.GetDefaultDataConverter()
	}
	if needs.States == nil {
		needs.States = func() []domain.ClusterState { return nil }
	}
	return set{
		Dependencies: needs, publishing: make(chan struct{}, publishesAtOnce), waits: waiting.NewRoom(), forgets: newForgets(), briefs: &briefs{},
	}
}

// Register makes workers run the activities. Call finish once they have stopped: it returns when nothing that the
// activities began is under way, after some seconds at most.
func Register(on Workers, needs Dependencies) (finish func()) {
	s := newSet(needs)
	bind(on.Submit, workflows.SubmitTurns, s.submitTurns)
	if on.Wait != on.Submit { // further attempts
		bind(on.Wait, workflows.SubmitTurns, s.submitTurns)
	}
	bind(on.Wait, workflows.AwaitTurn, s.awaitTurn)
	bind(on.Main, workflows.StopTurns, s.stopTurns)
	bind(on.Main, workflows.PublishEvents, s.publishEvents)
	bind(on.Main, workflows.CloseDeliberation, s.closeDeliberation)
	bind(on.Main, workflows.CountDeliberations, statistics.NewCounter(s.Temporal, s.DataConverter).Count)
	return s.forgets.finish
}

func bind[In, Out any](on Registry, step workflows.Step[In, Out], do func(context.Context, In) (Out, error)) {
	on.RegisterActivityWithOptions(func(ctx context.Context, in In) (Out, error) {
		out, err := do(ctx, in)
		return out, toTemporal(ctx, err)
	}, activity.RegisterOptions{Name: step.Name()})
}
