package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/workflows"
)

// settleAfter is how long a server may take until all its hosts know a new search attribute; an upsert
// before that would hang the workflow.
const settleAfter = time.Minute

// searchAttributes are the names, of those that deliberations upsert, that the namespace has, and those
// that it has from a minute on: missing ones are registered where the worker may. Being denied costs one
// warning and nothing else.
func searchAttributes(ctx context.Context, c client.Client, namespace string, register bool, log *slog.Logger) (present, settling []string) {
	operator := c.OperatorService()
	listed, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		log.Warn("search attributes not readable; lists can't be filtered by them", "error", err)
		return nil, nil
	}
	var missing []string
	types := map[string]enumspb.IndexedValueType{}
	for _, key := range workflows.Attributes() {
		there, exists := listed.GetCustomAttributes()[key.GetName()]
		switch {
		case exists && there == key.GetValueType():
			present = append(present, key.GetName())
		case exists:
			log.Warn("search attribute has another type here; it isn't used", "name", key.GetName(),
				"type", there.String(), "wanted", key.GetValueType().String())
		default:
			missing = append(missing, key.GetName())
			types[key.GetName()] = key.GetValueType()
		}
	}
	if len(missing) == 0 {
		return present, nil
	}
	if register {
		request := &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: types}
		if _, err = operator.AddSearchAttributes(ctx, request); err == nil {
			log.Info("search attributes registered; deliberations that open in a minute have them", "names", strings.Join(missing, ","))
			return present, missing
		}
	}
	log.Warn("search attributes are missing; register them to filter lists by them",
		"missing", strings.Join(missing, ","), "error", err, "command", createCommand(namespace))
	return present, nil
}

// createCommand is what somebody who may registers the attributes with.
func createCommand(namespace string) string {
	words := []string{"temporal operator search-attribute create --namespace", namespace}
	for _, key := range workflows.Attributes() {
		words = append(words, "--name", key.GetName(), "--type", typeName(key))
	}
	return strings.Join(words, " ")
}

func typeName(key temporal.SearchAttributeKey) string {
	if key.GetValueType() == enumspb.INDEXED_VALUE_TYPE_DOUBLE {
		return "Double"
	}
	return "Keyword"
}
