package domain

import (
	"fmt"
	"strings"
)

// taskText returns the part that all prompts share: the task, and the story and plan that it belongs to.
func (r DeliberationRequest) taskText() string {
	return fmt.Sprintf("%s\n\n## Context\nTask: %s\nStory: %s\nPlan: %s\nCouncil: %s\n",
		r.description, r.taskID, r.constraints.storyID, r.constraints.planID, r.role)
}

// persona describes the agent in the prompt: by its template, or else by its role.
func (r DeliberationRequest) persona(agent AgentConfig) []PromptPart {
	if strings.TrimSpace(agent.template) == "" {
		return []PromptPart{{Text: rolePersona(agent.role)}}
	}
	parsed, err := parseTemplate(agent.template)
	if err != nil {
		return []PromptPart{{Text: agent.template}} // can't happen: the request's check refuses such a template
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
