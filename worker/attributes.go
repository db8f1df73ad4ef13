package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/internal/searchattributes"
)

// settleAfter is how long a server may take until all its hosts know a new search attribute; an upsert
// before that would hang the workflow.
const settleAfter = time.Minute

// searchAttributes are the names, of those that deliberations upsert, that the namespace has, and those
// that it has from a minute on: missing ones are registered where the worker may. Being denied costs one
// warning and nothing else.
func searchAttributes(ctx context.Context, c client.Client, namespace string, register bool, log *slog.Logger) (present, settling []string) {
	survey, err := searchattributes.SurveyNamespace(ctx, c, namespace)
	if err != nil {
		log.Warn("search attributes not readable; lists can't be filtered by them", "error", err)
		return nil, nil
	}
	for _, other := range survey.Mistyped {
		log.Warn("search attribute has another type here; it isn't used", "name", other.Name, "type", other.Type, "wanted", other.Wanted)
	}
	if len(survey.Missing) == 0 {
		return survey.Present, nil
	}
	missing := strings.Join(survey.Missing, ",")
	if register {
		if err = survey.RegisterMissing(ctx, c, namespace); err == nil {
			log.Info("search attributes registered; deliberations that open in a minute have them", "names", missing)
			return survey.Present, survey.Missing
		}
	}
	log.Warn("search attributes are missing; register them to filter lists by them",
		"missing", missing, "error", err, "command", searchattributes.CreateCommand(namespace))
	return survey.Present, nil
}
