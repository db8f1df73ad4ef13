package domain

import (
	"fmt"
	"slices"
	"strings"
)

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
