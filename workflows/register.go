package workflows

import (
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
)

// Registry is what a worker, a replayer and a test environment have in common.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register makes a worker run the workflows. The environment is read when a deliberation opens.
func Register(registry Registry, environment domain.Environment) {
	s := stories{environment: environment}
	registry.RegisterWorkflowWithOptions(s.Deliberation, workflow.RegisterOptions{Name: DeliberationName})
	registry.RegisterWorkflowWithOptions(s.DeliberationOutbox, workflow.RegisterOptions{Name: DeliberationOutboxName})
	registry.RegisterWorkflowWithOptions(s.DeliberationStats, workflow.RegisterOptions{Name: DeliberationStatsName})
}
