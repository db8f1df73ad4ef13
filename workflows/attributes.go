package workflows

import (
	"context"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// Search attributes: what lists are filtered by. The namespace may lack them; what it lacks isn't
// upserted, because an unknown one would hang the workflow.
var (
	AttributeRole    = temporal.NewSearchAttributeKeyKeyword("DeliberationRole")
	AttributeTaskID  = temporal.NewSearchAttributeKeyKeyword("DeliberationTaskId")
	AttributeStoryID = temporal.NewSearchAttributeKeyKeyword("DeliberationStoryId")
	AttributePlanID  = temporal.NewSearchAttributeKeyKeyword("DeliberationPlanId")
	AttributePhase   = temporal.NewSearchAttributeKeyKeyword("DeliberationPhase")
	AttributeScore   = temporal.NewSearchAttributeKeyFloat64("DeliberationScore")
)

// Attributes are all search attributes.
func Attributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		AttributeRole, AttributeTaskID, AttributeStoryID, AttributePlanID, AttributePhase, AttributeScore,
	}
}

// AttributeSurvey is which of the search attributes a namespace has.
type AttributeSurvey struct {
	Present  []string
	Missing  []string
	Mistyped []MistypedAttribute // there with another type, so of no use
}

// MistypedAttribute is a search attribute that means something else in this namespace.
type MistypedAttribute struct{ Name, Type, Wanted string }

// SurveyAttributes asks which of the search attributes the namespace has.
func SurveyAttributes(ctx context.Context, c client.Client, namespace string) (AttributeSurvey, error) {
	request := &operatorservice.ListSearchAttributesRequest{Namespace: namespace}
	listed, err := c.OperatorService().ListSearchAttributes(ctx, request)
	if err != nil {
		return AttributeSurvey{}, err
	}
	var survey AttributeSurvey
	for _, key := range Attributes() {
		name := key.GetName()
		there, exists := listed.GetCustomAttributes()[name]
		switch {
		case exists && there == key.GetValueType():
			survey.Present = append(survey.Present, name)
		case exists:
			survey.Mistyped = append(survey.Mistyped, MistypedAttribute{name, there.String(), key.GetValueType().String()})
		default:
			survey.Missing = append(survey.Missing, name)
		}
	}
	return survey, nil
}

// RegisterMissing registers what the namespace lacks; it takes the right to administer the namespace.
func (s AttributeSurvey) RegisterMissing(ctx context.Context, c client.Client, namespace string) error {
	missing := map[string]enumspb.IndexedValueType{}
	for _, name := range s.Missing {
		for _, key := range Attributes() {
			if key.GetName() == name {
				missing[name] = key.GetValueType()
			}
		}
	}
	request := &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing}
	_, err := c.OperatorService().AddSearchAttributes(ctx, request)
	return err
}

// CreateAttributesCommand is what somebody who may registers the attributes with. Those that are there
// already it leaves as they are.
func CreateAttributesCommand(namespace string) string {
	words := []string{"temporal operator search-attribute create --namespace", namespace}
	for _, key := range Attributes() {
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
