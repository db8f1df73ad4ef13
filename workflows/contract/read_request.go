package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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

// noJSON returns where and why a text isn't one JSON value, or nothing if it is one.
func noJSON(text []byte) string {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return "it begins with a byte order mark (BOM); it must be UTF-8 without one"
		}
	}
	if at := invalidUTF8(text); at >= 0 {
		return place(text, at) + ": it is not UTF-8"
	}
	err := json.Unmarshal(text, &json.RawMessage{})
	if err == nil {
		return ""
	}
	syntax, is := errors.AsType[*json.SyntaxError](err)
	if !is {
		return err.Error()
	}
	reason, at := syntax.Error(), int(syntax.Offset)
	switch {
	case strings.HasSuffix(reason, "after top-level value"):
		reason = "more than one JSON value"
	case strings.HasPrefix(reason, "unexpected end"):
		return place(text, at) + ": it ends too early"
	}
	return place(text, at-1) + ": " + reason // the offset is that of the next byte
}

// invalidUTF8 returns the place of the first byte that isn't UTF-8, or -1. The decoder would replace it without a word.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for {
		r, width := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && width <= 1 {
			return at
		}
		at += width
	}
}

// place returns the line and the column of a byte, both counted from 1, columns in characters.
func place(text []byte, at int) string {
	before := text[:max(0, min(at, len(text)))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d", bytes.Count(before, []byte("\n"))+1, utf8.RuneCount(line)+1)
}

// decode decodes a value of a text that is known to be JSON. It adds a fault for each name that an object has
// twice: the standard decoder would silently take the last one.
func (r *reading) decode(path string, tokens *json.Decoder) any {
	token, err := tokens.Token()
	if err != nil {
		r.stuck = true
		return nil
	}
	var decoded any
	switch token {
	case json.Delim('{'):
		decoded = r.decodeFields(path, tokens)
	case json.Delim('['):
		items := []any{}
		for !r.stuck && tokens.More() {
			items = append(items, r.decode(fmt.Sprintf("%s[%d]", path, len(items)), tokens))
		}
		decoded = items
	default:
		return token
	}
	_, _ = tokens.Token() // the end of the object or list
	return decoded
}

func (r *reading) decodeFields(path string, tokens *json.Decoder) map[string]any {
	fields := map[string]any{}
	for !r.stuck && tokens.More() {
		token, err := tokens.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			r.stuck = true
			break
		}
		at := join(path, shortName(name))
		if _, twice := fields[name]; twice {
			r.Add(at, "is given more than once")
		}
		fields[name] = r.decode(at, tokens)
	}
	return fields
}
