// Package searchattributes finds out which of the service's search attributes a namespace has, and
// registers the others.
package searchattributes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/workflows/contract"
)

// Survey says which of the search attributes a namespace has.
type Survey struct {
	Present  []string
	Missing  []string
	Mistyped []Mistyped // they have another type, so they can't be used
}

// Mistyped is a search attribute that means something else in this namespace.
type Mistyped struct{ Name, Type, Wanted string }

// SurveyNamespace asks which of the search attributes the namespace has.
func SurveyNamespace(ctx context.Context, c client.Client, namespace string) (Survey, error) {
	request := &operatorservice.ListSearchAttributesRequest{Namespace: namespace}
	listed, err := c.OperatorService().ListSearchAttributes(ctx, request)
	if err != nil {
		return Survey{}, err
	}
	var survey Survey
	for _, key := range contract.Attributes() {
		name := key.GetName()
		there, exists := listed.GetCustomAttributes()[name]
		switch {
		case exists && there == key.GetValueType():
			survey.Present = append(survey.Present, name)
		case exists:
			survey.Mistyped = append(survey.Mistyped, Mistyped{name, there.String(), key.GetValueType().String()})
		default:
			survey.Missing = append(survey.Missing, name)
		}
	}
	return survey, nil
}

// RegisterMissing registers the missing search attributes one by one, since a namespace may have room for only some. It
// returns the names of those that are registered now, and the first refusal. It needs the right to administer the
// namespace.
func (s Survey) RegisterMissing(ctx context.Context, c client.Client, namespace string) (registered []string, err error) {
	for _, key := range contract.Attributes() {
		name := key.GetName()
		if !slices.Contains(s.Missing, name) {
			continue
		}
		_, refusal := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: map[string]enumspb.IndexedValueType{name: key.GetValueType()},
		})
		if _, exists := errors.AsType[*serviceerror.AlreadyExists](refusal); refusal == nil || exists { // another worker may have registered it
			registered = append(registered, name)
		} else if err == nil {
			err = fmt.Errorf("%s: %w", name, refusal)
		}
	}
	return registered, err
}

// CreateCommand returns the command that registers these search attributes, or all of them if none is named. The
// command doesn't change existing ones.
func CreateCommand(namespace string, names ...string) string {
	words := []string{"temporal operator search-attribute create --namespace", namespace}
	for _, key := range contract.Attributes() {
		if len(names) == 0 || slices.Contains(names, key.GetName()) {
			words = append(words, "--name", key.GetName(), "--type", typeName(key))
		}
	}
	return strings.Join(words, " ")
}

func typeName(key temporal.SearchAttributeKey) string {
	if key.GetValueType() == enumspb.INDEXED_VALUE_TYPE_DOUBLE {
		return "Double"
	}
	return "Keyword"
}

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
