package contract

import "go.temporal.io/sdk/temporal"

// Search attributes filter lists. The namespace may lack some; these aren't upserted, because an unknown one
// would hang the workflow.
var (
	AttributeRole    = temporal.NewSearchAttributeKeyKeyword("DeliberationRole")
	AttributeTaskID  = temporal.NewSearchAttributeKeyKeyword("DeliberationTaskId")
	AttributeStoryID = temporal.NewSearchAttributeKeyKeyword("DeliberationStoryId")
	AttributePlanID  = temporal.NewSearchAttributeKeyKeyword("DeliberationPlanId")
	AttributeScore   = temporal.NewSearchAttributeKeyFloat64("DeliberationScore")
)

// Attributes are all search attributes.
func Attributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		AttributeRole, AttributeTaskID, AttributeStoryID, AttributePlanID, AttributeScore,
	}
}
