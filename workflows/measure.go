package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Names of the metrics of deliberations. A replay counts nothing again. No label is an id, since each value of a
// label is a time series.
const (
	MetricDeliberations        = "deliberations"                 // by outcome
	MetricDeliberationDuration = "deliberation_duration"         // by outcome, in seconds
	MetricTurns                = "deliberation_turns"            // by phase, cluster, outcome
	MetricTurnDuration         = "deliberation_turn_duration"    // by phase, cluster, of completed ones, in seconds
	MetricTokens               = "deliberation_tokens"           // by phase, model, kind: prompt, completion
	MetricWastedTokens         = "deliberation_wasted_tokens"    // of attempts that gave no result
	MetricStatsCountedAt       = "deliberation_stats_counted_at" // Unix time of the last successful count
	MetricDeferredEvents       = "deliberation_deferred_events"  // left to the outbox
)

const labelOutcome = "outcome"

// measureTurn counts the outcome and the cost of a turn.
func measureTurn(ctx workflow.Context, turn domain.Turn, cluster string, outcome domain.Outcome) {
	result := string(outcome.Kind)
	if outcome.Kind == domain.OutcomeFailed {
		result = string(outcome.Failure.Kind())
	}
	phase := workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"phase": string(turn.Phase().Kind)})
	where := phase.WithTags(map[string]string{"cluster": cluster})
	where.WithTags(map[string]string{labelOutcome: result}).Counter(MetricTurns).Inc(1)
	if outcome.Kind == domain.OutcomeCompleted {
		where.Timer(MetricTurnDuration).Record(outcome.Duration)
	}
	tokens := func(kind string, n int) {
		phase.WithTags(map[string]string{"model": turn.Agent().Model(), "kind": kind}).Counter(MetricTokens).Inc(int64(n))
	}
	tokens("prompt", outcome.Usage.PromptTokens)
	tokens("completion", outcome.Usage.CompletionTokens)
}

// measureEnd counts how the run ended.
func (d *deliberation) measureEnd(ctx workflow.Context, err error) {
	result := string(d.shown.status)
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		result = application.Type()
	}
	ended := workflow.GetMetricsHandler(ctx).WithTags(map[string]string{labelOutcome: result})
	ended.Counter(MetricDeliberations).Inc(1)
	ended.Timer(MetricDeliberationDuration).Record(d.executionTime())
	workflow.GetMetricsHandler(ctx).Counter(MetricWastedTokens).Inc(int64(contract.TotalUsageOf(d.council, nil).WastedTokens))
}
