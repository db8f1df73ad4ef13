package searchattributes

import (
	"context"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/workflows/contract"
)

// Survey is which of the search attributes a namespace has.
type Survey struct {
	Present  []string
	Missing  []string
	Mistyped []Mistyped // there with another type, so of no use
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

// RegisterMissing registers what the namespace lacks; it takes the right to administer the namespace.
func (s Survey) RegisterMissing(ctx context.Context, c client.Client, namespace string) error {
	missing := map[string]enumspb.IndexedValueType{}
	for _, name := range s.Missing {
		for _, key := range contract.Attributes() {
			if key.GetName() == name {
				missing[name] = key.GetValueType()
			}
		}
	}
	request := &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing}
	_, err := c.OperatorService().AddSearchAttributes(ctx, request)
	return err
}

// CreateCommand is what somebody who may registers the attributes with. Those that are there
// already it leaves as they are.
func CreateCommand(namespace string) string {
	words := []string{"temporal operator search-attribute create --namespace", namespace}
	for _, key := range contract.Attributes() {
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
