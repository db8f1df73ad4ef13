package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Opening is the first record of a run: the checked request or its faults, and the settings that the run depends
// on. A replay reads it back, so neither a changed configuration nor a stricter rule can break a running
// deliberation. It travels in histories: append only.
type Opening struct {
	Faults       []string                    `json:"faults,omitempty"`
	Request      *contract.NormalisedRequest `json:"request,omitempty"`
	AnswerBytes  int                         `json:"answer_bytes,omitempty"` // the most for each agent, in JSON
	Attributes   []string                    `json:"attributes,omitempty"`   // search attributes that the namespace has
	Events       bool                        `json:"events,omitempty"`
	Cluster      string                      `json:"cluster,omitempty"`
	Clusters     []string                    `json:"clusters,omitempty"`      // all clusters, if there are several; if empty, the council never moves
	Fence        string                      `json:"fence,omitempty"`         // a secret; the fences around texts of models are derived from it
	Prices       contract.Prices             `json:"prices,omitempty"`        // of the models that the request names
	GraceSeconds int                         `json:"grace_seconds,omitempty"` // if 0, the cluster may be away until the deadline
}

// recordOpening records the Opening, or reads it back in a replay.
func recordOpening(ctx workflow.Context, environment domain.Environment, request contract.Request) (Opening, error) {
	var opening Opening
	encoded := workflow.SideEffect(ctx, func(workflow.Context) any { return newOpening(environment, request) })
	if err := encoded.Get(&opening); err != nil {
		return Opening{}, err
	}
	return opening, nil
}

func newOpening(environment domain.Environment, request contract.Request) (opening Opening) {
	defer func() {
		if cause := recover(); cause != nil {
			opening = refusedOpening(fmt.Errorf("request: could not be read: %v", cause))
		}
	}()
	settings := environment.Settings()
	parsed, err := request.ParseFor(settings.Allow)
	if err != nil {
		return refusedOpening(err)
	}
	opening = Opening{
		Request:      &parsed.Normalised,
		AnswerBytes:  parsed.Domain.AnswerMaximum(domain.Propose),
		Attributes:   settings.Attributes,
		Events:       settings.Events,
		Cluster:      domain.Place(settings.Clusters),
		Clusters:     choices(settings.Clusters),
		Prices:       contract.PricesOf(settings.Prices.Of(parsed.Domain.Models())),
		GraceSeconds: seconds(settings.Grace),
	}
	if parsed.Domain.Protocol().SharesTexts() {
		opening.Fence = settings.Fence
	}
	return opening
}

// choices returns the names of the clusters, or none if there is only one.
func choices(clusters []domain.ClusterState) []string {
	if len(clusters) < 2 {
		return nil
	}
	return domain.Each(clusters, func(cluster domain.ClusterState) string { return cluster.Name })
}

// refusedOpening returns the Opening of a request that breaks a rule.
func refusedOpening(err error) Opening {
	if faults, breaks := errors.AsType[domain.Faults](err); breaks {
		return Opening{Faults: faults.Lines()}
	}
	return Opening{Faults: []string{err.Error()}}
}
