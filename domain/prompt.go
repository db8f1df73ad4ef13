package domain

import (
	"fmt"
	"slices"
	"strings"
)

// Names of the texts that all agents of a council share; a [PromptPart] refers to them.
const (
	CommonTask        = "task"
	CommonDescription = "task_description"
)

// PromptPart is a piece of a prompt: a reference to a shared text, or a text of its own.
type PromptPart struct {
	Ref  string
	Text string
}

// CommonTexts are the texts that the prompts of all agents refer to. The one under [CommonTask] opens
// every prompt: a model server's prefix cache serves only what is the same from the first byte on.
func (r DeliberationRequest) CommonTexts() map[string]string {
	texts := map[string]string{CommonTask: r.taskPrompt()}
	for _, agent := range r.agents {
		if slices.Contains(r.persona(agent), PromptPart{Ref: CommonDescription}) {
			texts[CommonDescription] = r.description
		}
	}
	return texts
}

// hints tell an agent what was wrong with an earlier answer of its own.
var hints = map[FailureKind]string{
	Truncated: "Your last answer was cut off before its end. Answer again, much shorter: " +
		"the whole JSON object must fit.",
}

// Prompt is what a turn says to the model: the shared task first, then the agent's persona, and last
// what to do better than in an earlier attempt.
func (r DeliberationRequest) Prompt(turn Turn) []PromptPart {
	parts := []PromptPart{{Ref: CommonTask}, {Text: "\n\n## Who you are\n"}}
	parts = append(parts, r.persona(turn.agent)...)
	if hint := hints[turn.hint]; hint != "" {
		parts = append(parts, PromptPart{Text: "\n\n## This time\n" + hint})
	}
	return parts
}

func (r DeliberationRequest) taskPrompt() string {
	var out strings.Builder
	out.WriteString("You are one member of a council. Every member works on the task below alone; " +
		"the proposals are then compared. Give your own best proposal.\n\n## Task\n")
	out.WriteString(r.description)
	fmt.Fprintf(&out, "\n\n## Context\nTask: %s\nStory: %s\nPlan: %s\nCouncil: %s\n",
		r.taskID, r.constraints.storyID, r.constraints.planID, r.role)
	out.WriteString("\n## Answer\nAnswer with one JSON object and nothing else:\n" +
		`{"proposal": "<your proposal>", "reasoning": "<why it is right>", "score": <0.0 to 1.0>}` +
		"\nproposal: complete and ready to be acted on. reasoning: short. " +
		"score: how well the proposal solves the task, from 0 (not at all) to 1 (fully).")
	return out.String()
}

func (r DeliberationRequest) persona(agent AgentConfig) []PromptPart {
	if strings.TrimSpace(agent.template) == "" {
		return []PromptPart{{Text: rolePersona(agent.role)}}
	}
	parsed, err := parseTemplate(agent.template)
	if err != nil {
		return []PromptPart{{Text: agent.template}} // no such template passes the check
	}
	values := map[string]string{
		"role": agent.role, "agent_id": agent.id,
		"story_id": r.constraints.storyID, "plan_id": r.constraints.planID,
	}
	var parts []PromptPart
	for _, part := range parsed {
		switch {
		case part.placeholder && part.text == taskPlaceholder:
			parts = append(parts, PromptPart{Ref: CommonDescription})
		case part.placeholder:
			parts = append(parts, PromptPart{Text: values[part.text]})
		case part.text != "":
			parts = append(parts, PromptPart{Text: part.text})
		}
	}
	return parts
}

func rolePersona(role string) string {
	personas := map[string]string{
		"DEV":       "You are an expert software developer: clean, tested code, the simplest design that works, failure modes named.",
		"QA":        "You are an expert quality engineer: what can break, how it is shown, edge cases and the tests that prove them.",
		"ARCHITECT": "You are an expert software architect: boundaries, data flow, trade-offs, and how the design changes later.",
		"DEVOPS":    "You are an expert DevOps engineer: deployment, observability, roll-back, capacity and security in operation.",
		"DATA":      "You are an expert data engineer: schemas, correctness of data, migrations, performance of queries.",
	}
	if persona, known := personas[strings.ToUpper(role)]; known {
		return persona
	}
	return fmt.Sprintf("You are an expert %s engineer.", role)
}
