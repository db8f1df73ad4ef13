package contract

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
)

// readRequest reads a request. Defaults are filled in for absent fields only: an explicit empty text stays
// empty, and is a fault.
func readRequest(from received) (NormalisedRequest, *reading) {
	request, r := defaults(), &reading{}
	text := from.text
	switch fault := noJSON(text); {
	case from.encoding != "":
		r.Add("request", "its encoding is %s; send one JSON object as %s", domain.Quote(from.encoding), converter.MetadataEncodingJSON)
	case from.several:
		r.Add("request", "more than one input was given; it takes one JSON object")
	case len(text) == 0:
		r.Add("request", "no input was given; it takes one JSON object")
	case fault != "":
		r.Add("request", "is not JSON: %s", fault)
	default:
		tokens := json.NewDecoder(bytes.NewReader(text))
		tokens.UseNumber() // the fields know their kinds of number
		value{r: r, is: r.decode("", tokens), given: true}.request(&request)
	}
	return request, r
}

func (v value) request(request *NormalisedRequest) {
	var agents []value
	v.object(func(o *object) {
		o.required("task_id").text(&request.TaskID)
		o.required("task_description").text(&request.TaskDescription)
		o.required("role").text(&request.Role)
		o.required("constraints").constraints(&request.Constraints)
		agents = o.required("agents").list()
		o.required("vllm_url").text(&request.VLLMURL)
		o.required("vllm_model").text(&request.VLLMModel)
		o.optional("protocol").protocol(&request.Protocol)
		o.optional("proposals").proposals(&request.Proposals)
	})
	for _, given := range agents { // read last, since agents inherit the role and the model
		agent := Agent{Role: request.Role, Model: request.VLLMModel}
		given.agent(&agent)
		request.Agents = append(request.Agents, agent)
	}
}

func (v value) constraints(constraints *NormalisedConstraints) {
	v.object(func(o *object) {
		o.required("story_id").text(&constraints.StoryID)
		o.required("plan_id").text(&constraints.PlanID)
		o.optional("timeout_seconds").whole(&constraints.TimeoutSeconds)
		o.optional("max_retries").whole(&constraints.MaxRetries)
		o.optional("queue_timeout_seconds").whole(&constraints.QueueTimeoutSeconds)
		o.optional("metadata").texts(&constraints.Metadata)
	})
}

func (v value) protocol(protocol *NormalisedProtocol) {
	v.object(func(o *object) {
		o.optional("mode").filled(&protocol.Mode)
		o.optional("chair_model").filled(&protocol.ChairModel)
		o.optional("chair_url").filled(&protocol.ChairURL)
		o.optional("review").text(&protocol.Review)
		o.optional("judge_model").text(&protocol.JudgeModel)
		o.optional("judge_url").text(&protocol.JudgeURL)
		o.optional("rubric").numbers(&protocol.Rubric)
		o.optional("patience_seconds").whole(&protocol.Patience)
		o.optional("rounds").whole(&protocol.Rounds)
		o.optional("quorum").whole(&protocol.Quorum)
		o.optional("temperature").number(&protocol.Temperature)
		o.optional("max_tokens").whole(&protocol.MaxTokens)
		o.optional("max_llm_calls").positive(&protocol.MaxCalls)
		o.optional("max_total_tokens").positive(&protocol.TotalTokens)
		o.optional("extra_body").values(&protocol.ExtraBody)
	})
}

func (v value) agent(agent *Agent) {
	v.r.inherited = append(v.r.inherited, v.path+".role", v.path+".model")
	v.object(func(o *object) {
		o.agentID(&agent.AgentID)
		o.own("role", &agent.Role)
		o.own("model", &agent.Model)
		template := o.optional("prompt_template")
		template.text(&agent.PromptTemplate)
		if _, isText := template.is.(string); isText && strings.TrimSpace(agent.PromptTemplate) == "" {
			template.fault("cannot be empty; leave it out for the persona of the role")
		}
	})
}

// proposals reads the proposals that exist already. An explicit empty list stays empty, and is a fault.
func (v value) proposals(proposals *[]Proposal) {
	if _, isList := v.is.([]any); isList {
		*proposals = []Proposal{}
	}
	for _, item := range v.list() {
		var proposal Proposal
		item.object(func(o *object) {
			o.required("id").text(&proposal.ID)
			o.required("text").text(&proposal.Text)
			o.optional("author").filled(&proposal.Author)
		})
		*proposals = append(*proposals, proposal)
	}
}

// agentID reads agent_id or its short form id.
func (o *object) agentID(target *string) {
	long, short := o.optional("agent_id"), o.optional("id")
	switch {
	case long.given && short.given:
		long.text(target)
		short.fault("give agent_id or id, not both")
	case short.given:
		short.text(target)
	default:
		o.required("agent_id").text(target)
	}
}

// own reads a value that the agent would otherwise inherit from the request. The fault of an inherited value is
// named at the request's field.
func (o *object) own(name string, target *string) {
	v := o.optional(name)
	if v.given {
		o.r.inherited = slices.DeleteFunc(o.r.inherited, func(path string) bool { return path == v.path })
	}
	v.text(target)
}
