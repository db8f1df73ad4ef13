package domain

import (
	"fmt"
	"slices"
	"strings"
)

// taskText returns the part that all prompts share: the task, and the story and plan that it belongs to.
func (r DeliberationRequest) taskText() string {
	return fmt.Sprintf("%s\n\n## Context\nTask: %s\nStory: %s\nPlan: %s\nCouncil: %s\n",
		r.description, r.taskID, r.constraints.StoryID(), r.constraints.PlanID(), r.role)
}

// persona describes the agent in the prompt: by its template, or else by its role.
func (r DeliberationRequest) persona(agent AgentConfig) []PromptPart {
	if strings.TrimSpace(agent.template) == "" {
		return []PromptPart{{Text: rolePersona(agent.role)}}
	}
	parsed, err := parseTemplate(agent.template)
	if err != nil {
		return []PromptPart{{Text: agent.template}} // only while the request is checked, which refuses such a template
	}
	values := map[string]string{
		"role": agent.role, "agent_id": agent.id,
		"story_id": r.constraints.StoryID(), "plan_id": r.constraints.PlanID(),
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

// taskPlaceholder stands for the only long text.
const taskPlaceholder = "task_description"

// placeholders are the names that a prompt template may use in braces.
var placeholders = []string{taskPlaceholder, "role", "agent_id", "story_id", "plan_id"}

// template is a parsed prompt template: literal texts and placeholders. Workflow code expands it, so it has no
// conditions, loops or functions.
type template []templatePart

type templatePart struct {
	text        string
	placeholder bool
}

func parseTemplate(text string) (template, error) {
	var parts template
	var literal strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case (c == '{' || c == '}') && i+1 < len(text) && text[i+1] == c:
			literal.WriteByte(c)
			i++
		case c == '}':
			return nil, fmt.Errorf("a lone } at byte %d; write }} for a brace", i)
		case c == '{':
			name, _, closed := strings.Cut(text[i+1:], "}")
			if !closed {
				return nil, fmt.Errorf("a lone { at byte %d; write {{ for a brace", i)
			}
			if !slices.Contains(placeholders, name) {
				return nil, fmt.Errorf("unknown placeholder %s; use {%s}, or {{ and }} for braces",
					Quote("{"+name+"}"), strings.Join(placeholders, "}, {"))
			}
			if name == taskPlaceholder && slices.Contains(parts, templatePart{text: name, placeholder: true}) {
				return nil, fmt.Errorf("{%s} may stand in it once, it can be long", name)
			}
			parts = append(parts, templatePart{text: literal.String()}, templatePart{text: name, placeholder: true})
			literal.Reset()
			i += len(name) + 1
		default:
			literal.WriteByte(c)
		}
	}
	return append(parts, templatePart{text: literal.String()}), nil
}
