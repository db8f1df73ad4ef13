package activities

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"

	"deliberation.io/deliberation/domain"
)

// decodeAnswer decodes the JSON object that text starts with. A proposal that is an object or a list
// stays as its JSON: the model answered, if not in the form that was asked for.
func decodeAnswer(text string) (domain.AnswerFields, bool) {
	var object map[string]json.RawMessage
	if json.NewDecoder(strings.NewReader(text)).Decode(&object) != nil {
		return domain.AnswerFields{}, false
	}
	proposal, given := object["proposal"]
	if !given {
		return domain.AnswerFields{}, false
	}
	return domain.AnswerFields{
		Proposal: textOf(proposal), Reasoning: textOf(object["reasoning"]), Score: numberOf(object["score"]),
	}, true
}

func textOf(raw json.RawMessage) string {
	text := ""
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func numberOf(raw json.RawMessage) float64 {
	number := math.NaN()
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &number) != nil {
		return math.NaN()
	}
	return number
}
