package domain

import (
	"slices"
	"strings"
)

// proposing asks each agent for its own proposal.
var proposing = purpose{
	// The schema is flat and without bounds: servers differ in which parts of a schema they support, and
	// [ReadAnswer] is lenient.
	form: func(r DeliberationRequest, _ Turn) AnswerForm {
		counted, required := "", ""
		if r.protocol.votes() {
			counted, required = `"answer":{"type":"string"},`, `"answer",`
		}
		return AnswerForm{Name: "answer", Schema: `{"type":"object",` +
			`"properties":{"proposal":{"type":"string"},"reasoning":{"type":"string"},` + counted + `"score":{"type":"number"}},` +
			`"required":["proposal","reasoning",` + required + `"score"],"additionalProperties":false}`}
	},
	common: func(r DeliberationRequest, _ Texts) map[string]string { return r.proposalTexts() },
	prompt: func(r DeliberationRequest, turn Turn, _ Texts) []PromptPart { return r.proposalPrompt(turn) },
	hints: map[FailureKind]string{
		Truncated:     hintTruncated,
		InvalidOutput: "Your last answer had no proposal. Answer with the JSON object itself, filled in, and nothing else.",
	},
}

const hintTruncated = "Your last answer was cut off before its end. Answer again, much shorter: " +
	"the whole JSON object must fit."

func (r DeliberationRequest) proposalTexts() map[string]string {
	texts := map[string]string{CommonTask: r.taskPrompt()}
	for _, agent := range r.agents {
		if slices.Contains(r.persona(agent), PromptPart{Ref: CommonDescription}) {
			texts[CommonDescription] = r.description
		}
	}
	return texts
}

// proposalPrompt begins with the shared task; the agent's persona follows. A model server's prefix cache
// only helps prompts that begin with the same bytes.
func (r DeliberationRequest) proposalPrompt(turn Turn) []PromptPart {
	parts := []PromptPart{{Ref: CommonTask}, {Text: "\n\n## Who you are\n"}}
	return append(parts, r.persona(turn.Agent())...)
}

func (r DeliberationRequest) taskPrompt() string {
	var out strings.Builder
	out.WriteString("You are one member of a council. Every member works on the task below alone; " +
		"the proposals are then compared. Give your own best proposal.\n\n## Task\n")
	out.WriteString(r.taskText())
	out.WriteString("\n## Answer\nAnswer with one JSON object and nothing else:\n" +
		`{"proposal": "<your proposal>", "reasoning": "<why it is right>", ` + r.answerField() + `"score": <0.0 to 1.0>}` +
		"\nproposal: complete and ready to be acted on. reasoning: short. " + r.answerRule() +
		"score: how well the proposal solves the task, from 0 (not at all) to 1 (fully).")
	return out.String()
}

// answerField is the field for what is counted if the council votes, in the form that the prompt shows.
func (r DeliberationRequest) answerField() string {
	if !r.protocol.votes() {
		return ""
	}
	return `"answer": "<the result alone>", `
}

func (r DeliberationRequest) answerRule() string {
	if !r.protocol.votes() {
		return ""
	}
	return "answer: only the result, as short as it can be, for example a number, a name or a letter. Equal answers of the members are counted. "
}
