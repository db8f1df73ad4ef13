package main

import (
	"context"
	"log/slog"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/workflows"
)

// searchAttributes are the names, of those that deliberations upsert, that the namespace has. Missing
// ones are registered where the worker may; being denied costs one warning and nothing else.
func searchAttributes(ctx context.Context, c client.Client, namespace string, register bool, log *slog.Logger) []string {
	operator := c.OperatorService()
	listed, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		log.Warn("search attributes not readable; lists can't be filtered by them", "error", err)
		return nil
	}
	var present, missing []string
	types := map[string]enumspb.IndexedValueType{}
	for _, key := range workflows.Attributes() {
		if listed.GetCustomAttributes()[key.GetName()] == key.GetValueType() {
			present = append(present, key.GetName())
		} else {
			missing = append(missing, key.GetName())
			types[key.GetName()] = key.GetValueType()
		}
	}
	if len(missing) == 0 {
		return present
	}
	if register {
		request := &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: types}
		if _, err = operator.AddSearchAttributes(ctx, request); err == nil {
			log.Info("search attributes registered", "names", strings.Join(missing, ","))
			return append(present, missing...)
		}
	}
	log.Warn("search attributes are missing; register them to filter lists by them",
		"missing", strings.Join(missing, ","), "error", err, "command", createCommand(namespace))
	return present
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
