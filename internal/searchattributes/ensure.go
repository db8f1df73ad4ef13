package searchattributes

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
)

// SettleAfter is how long a server may take until all its hosts know a new search attribute. An upsert before that
// would hang the workflow.
const SettleAfter = time.Minute

// Ensure returns the search attributes that the namespace has, and those that it has after [SettleAfter] because they
// were just registered. If one can't be registered, it only logs a warning.
func Ensure(ctx context.Context, c client.Client, namespace string, register bool, log *slog.Logger) (present, settling []string) {
	survey, err := SurveyNamespace(ctx, c, namespace)
	if err != nil {
		log.Warn("search attributes not readable; lists can't be filtered by them", "error", err)
		return nil, nil
	}
	for _, other := range survey.Mistyped {
		log.Warn("search attribute has another type here; it isn't used", "name", other.Name, "type", other.Type, "wanted", other.Wanted)
	}
	if register && len(survey.Missing) > 0 {
		settling, err = survey.RegisterMissing(ctx, c, namespace)
	}
	if len(settling) > 0 {
		log.Info("search attributes registered; deliberations that start in a minute have them", "names", strings.Join(settling, ","))
	}
	missing := slices.DeleteFunc(survey.Missing, func(name string) bool { return slices.Contains(settling, name) })
	if len(missing) > 0 {
		log.Warn("search attributes are missing; register them to filter lists by them",
			"missing", strings.Join(missing, ","), "error", err, "command", CreateCommand(namespace, missing...))
	}
	return survey.Present, settling
}
