package workflows

import (
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Registry is implemented by a worker, a replayer and a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register makes a worker run the workflows. The environment is read when a deliberation opens or moves. With worker
// versioning, a deliberation and its outbox end on the build on which they began. The statistics never end, so they
// move to the current build.
func Register(registry Registry, environment domain.Environment) {
	s := stories{environment: environment}
	for _, story := range []struct {
		run      any
		name     string
		behavior workflow.VersioningBehavior
	}{
		{s.Deliberation, contract.DeliberationName, workflow.VersioningBehaviorPinned},
		{s.DeliberationOutbox, contract.DeliberationOutboxName, workflow.VersioningBehaviorPinned},
		{s.DeliberationStats, contract.DeliberationStatsName, workflow.VersioningBehaviorAutoUpgrade},
	} {
		registry.RegisterWorkflowWithOptions(story.run, workflow.RegisterOptions{Name: story.name, VersioningBehavior: story.behavior})
	}
}
