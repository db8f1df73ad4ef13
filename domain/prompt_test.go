package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

const personaTitle = "\n\n## Who you are\n"

func TestTemplates(t *testing.T) {
	const use = "; use {task_description}, {role}, {agent_id}, {story_id}, {plan_id}, or {{ and }} for braces"
	for name, test := range map[string]struct{ template, persona, fault string }{
		"no template is the persona of the role":     {"", "You are an expert quality engineer: what can break, how it is shown, edge cases and the tests that prove them.", ""},
		"a blank template is the persona too":        {" \n", "You are an expert quality engineer: what can break, how it is shown, edge cases and the tests that prove them.", ""},
		"a text without braces is itself":            {"Be careful.", "Be careful.", ""},
		"the role is the agent's":                    {"Be {role}.", "Be QA.", ""},
		"the agent's id":                             {"{agent_id}", "agent-x", ""},
		"the story":                                  {"of {story_id}!", "of S-7!", ""},
		"the plan":                                   {"{plan_id}{plan_id}", "P-3P-3", ""},
		"the task":                                   {"Do: {task_description}.", "Do: Add rate limiting to the login API.", ""},
		"two braces are one":                         {"{{x}}", "{x}", ""},
		"braces around a value":                      {"{{{role}}}", "{QA}", ""},
		"a doubled placeholder is text":              {"{{task_description}} {{task_description}}", "{task_description} {task_description}", ""},
		"a value isn't read as a template":           {"{agent_id}{{", "agent-x{", ""},
		"the task once only":                         {"{task_description}{role}{task_description}", "", "{task_description} may stand in it once, it can be long"},
		"an unknown placeholder":                     {"a {nope} b", "", `unknown placeholder "{nope}"` + use},
		"an empty placeholder":                       {"{}", "", `unknown placeholder "{}"` + use},
		"a placeholder with spaces":                  {"{ role }", "", `unknown placeholder "{ role }"` + use},
		"a placeholder within another":               {"{ro{role}", "", `unknown placeholder "{ro{role}"` + use},
		"a placeholder in capitals":                  {"{ROLE}", "", `unknown placeholder "{ROLE}"` + use},
		"an opening brace alone":                     {"ab{role", "", "a lone { at byte 2; write {{ for a brace"},
		"an opening brace at the end":                {"ab{", "", "a lone { at byte 2; write {{ for a brace"},
		"a closing brace alone":                      {"ab}", "", "a lone } at byte 2; write }} for a brace"},
		"a closing brace too many":                   {"{role}}", "", "a lone } at byte 6; write }} for a brace"},
		"JSON must be written with doubled braces":   {`{"a":1}`, "", `unknown placeholder "{\"a\":1}"` + use},
		"three opening braces and nothing to end it": {"{{{", "", "a lone { at byte 2; write {{ for a brace"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := specOf(1)
			spec.Agents[0] = domain.AgentSpec{AgentID: "agent-x", Role: "QA", Model: "m", PromptTemplate: test.template}
			request, err := domain.NewDeliberationRequest(spec)
			if test.fault != "" {
				require.EqualError(t, err, "agents[0].prompt_template: "+test.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.persona, personaOf(t, request, 0))
		})
	}
}

func TestATextWithoutBracesRendersAsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := withoutBraces().Filter(func(s string) bool { return strings.TrimSpace(s) != "" }).Draw(t, "template")
		require.Equal(t, text, personaOf(t, requestWithTemplate(t, text), 0))
	})
}

func TestADoubledTextRendersAsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyText().Filter(func(s string) bool { return strings.TrimSpace(s) != "" }).Draw(t, "text")
		escaped := strings.NewReplacer("{", "{{", "}", "}}").Replace(text)
		require.Equal(t, text, personaOf(t, requestWithTemplate(t, escaped), 0))
	})
}

func TestAnyTemplateIsRefusedOrRendersWithoutPanic(t *testing.T) {
	token := rapid.SampledFrom([]string{"{", "}", "{{", "}}", "{role}", "{task_description}", "{x}", "text", "議", "\xff"})
	rapid.Check(t, func(t *rapid.T) {
		spec := specOf(1)
		spec.Agents[0].PromptTemplate = strings.Join(rapid.SliceOfN(token, 0, 10).Draw(t, "tokens"), "")
		if request, err := domain.NewDeliberationRequest(spec); err == nil {
			_ = personaOf(t, request, 0)
		}
	})
}

func TestValuesAreNotReadAsTemplates(t *testing.T) {
	spec := specOf(1)
	spec.Role, spec.TaskDescription, spec.Constraints.StoryID = "{x", "{role} }", "{plan_id}"
	spec.Agents[0] = domain.AgentSpec{AgentID: "{", Role: "{agent_id}", Model: "m", PromptTemplate: "{role}|{agent_id}|{story_id}|{task_description}"}
	require.Equal(t, "{agent_id}|{|{plan_id}|{role} }", personaOf(t, requestOf(t, spec), 0))
}

func TestPromptsShareTheirStartAndEndWithThePersona(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := specOf(rapid.IntRange(1, 5).Draw(t, "agents"))
		spec.TaskDescription = "x" + anyText().Draw(t, "description")
		for i := range spec.Agents {
			spec.Agents[i].PromptTemplate = rapid.SampledFrom([]string{"", "I am {agent_id}", "{task_description}!"}).Draw(t, "template")
		}
		request := requestOf(t, spec)
		shared := request.CommonTexts(domain.Propose, domain.Texts{})[domain.CommonTask]
		require.Contains(t, shared, spec.TaskDescription)
		for _, turn := range turnsOf(request) {
			parts := request.Ask(turn, domain.Texts{}).Prompt
			require.Equal(t, domain.PromptPart{Ref: domain.CommonTask}, parts[0])
			require.Equal(t, domain.PromptPart{Text: personaTitle}, parts[1])
			rendered := render(t, request, turn)
			require.True(t, strings.HasPrefix(rendered, shared+personaTitle))
			require.NotEmpty(t, strings.TrimPrefix(rendered, shared+personaTitle))
		}
	})
}

func TestATemplateReplacesThePersonaOnly(t *testing.T) {
	plain, templated := requestWithTemplate(t, ""), requestWithTemplate(t, "Be brief.")
	require.Equal(t, plain.CommonTexts(domain.Propose, domain.Texts{}), templated.CommonTexts(domain.Propose, domain.Texts{}))
	require.NotEqual(t, personaOf(t, plain, 0), personaOf(t, templated, 0))

	shared := plain.CommonTexts(domain.Propose, domain.Texts{})[domain.CommonTask]
	for _, part := range []string{"Add rate limiting to the login API", "T-42", "S-7", "P-3", "Council: DEV", `"proposal"`, `"reasoning"`, `"score"`} {
		require.Contains(t, shared, part)
	}
}

func TestTheDescriptionIsSharedOnlyWhenAPromptRefersToIt(t *testing.T) {
	for template, shared := range map[string]bool{
		"": false, "plain": false, "{{task_description}}": false, "{role}": false, "{task_description}": true, "a {task_description} b": true,
	} {
		require.Equal(t, shared, requestWithTemplate(t, template).CommonTexts(domain.Propose, domain.Texts{})[domain.CommonDescription] != "", template)
	}
}

func TestEachRoleHasAPersona(t *testing.T) {
	for role, persona := range map[string]string{
		"DEV": "software developer", "qa": "quality engineer", "ARCHITECT": "software architect", "Devops": "DevOps engineer",
		"DATA": "data engineer", "SECURITY": "You are an expert SECURITY engineer.",
	} {
		spec := specOf(1)
		spec.Agents[0].Role = role
		require.Contains(t, personaOf(t, requestOf(t, spec), 0), persona)
	}
}

func TestAnAgentIsToldThatItsAnswerWasCutOff(t *testing.T) {
	request := requestOf(t, specOf(1))
	first := turnsOf(request)[0]
	second := first.WithAttempt(2).WithHint(domain.Hint{Kind: domain.Truncated})
	require.Equal(t, domain.Truncated, second.Hint().Kind)
	require.NotEqual(t, first.WithAttempt(2).ID(), second.ID(), "another prompt is other work")
	told, plain := render(t, request, second), render(t, request, first)
	require.True(t, strings.HasPrefix(told, plain), "the hint comes last, since the rest may be in the model's prefix cache")
	require.Contains(t, strings.TrimPrefix(told, plain), "much shorter")

	third := second.WithAttempt(3).WithHint(domain.Hint{Kind: domain.ModelUnavailable})
	require.Equal(t, told, render(t, request, third), "later attempts keep the hint")
	require.Equal(t, first.WithAttempt(2), first.WithAttempt(2).WithHint(domain.Hint{Kind: domain.ModelUnavailable}), "other failures give no hint")
}

func requestWithTemplate(t require.TestingT, template string) domain.DeliberationRequest {
	spec := specOf(1)
	spec.Agents[0].PromptTemplate = template
	return requestOf(t, spec)
}

func render(t require.TestingT, request domain.DeliberationRequest, turn domain.Turn) string {
	common := request.CommonTexts(domain.Propose, domain.Texts{})
	var out strings.Builder
	for _, part := range request.Ask(turn, domain.Texts{}).Prompt {
		if part.Ref != "" {
			require.Contains(t, common, part.Ref)
			require.Empty(t, part.Text)
		}
		out.WriteString(common[part.Ref] + part.Text)
	}
	return out.String()
}

func personaOf(t require.TestingT, request domain.DeliberationRequest, agent int) string {
	rendered := render(t, request, turnsOf(request)[agent])
	shared := request.CommonTexts(domain.Propose, domain.Texts{})[domain.CommonTask] + personaTitle
	require.True(t, strings.HasPrefix(rendered, shared))
	return strings.TrimPrefix(rendered, shared)
}

func TestATemplateMayNotExpandWithoutBound(t *testing.T) {
	spec := specOf(1)
	spec.Agents[0].PromptTemplate = strings.Repeat("{agent_id}", 200)
	spec.Agents[0].AgentID = strings.Repeat("a", 200)
	_, err := domain.NewDeliberationRequest(spec)
	require.EqualError(t, err, "agents[0].prompt_template: must expand to at most 32768 bytes in JSON, got 40000")
}

func turnsOf(request domain.DeliberationRequest) []domain.Turn {
	_, turns := asked(request, domain.RunKey{})
	return turns
}
