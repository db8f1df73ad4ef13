package domain

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

// AnswerForm is the form that an answer is asked for in: a JSON schema and its name.
type AnswerForm struct {
	Name   string
	Schema string
}

// Ask is what a turn asks of its model, ready to be sent.
type Ask struct {
	TurnID      TurnID
	AgentID     string
	URL         string
	Model       string
	Prompt      []PromptPart
	Temperature float64
	MaxTokens   int
	ExtraBody   map[string]string // for the model server as it is: values in JSON
	Form        AnswerForm
}

// purpose is what a kind of phase asks and in which form. Each kind has a file of its own.
type purpose struct {
	form   AnswerForm
	common func(DeliberationRequest) map[string]string // the texts that the prompts share; CommonTask opens each
	prompt func(DeliberationRequest, Turn) []PromptPart
	hints  map[FailureKind]string // what a later attempt does better, by what was wrong with the previous one
}

var purposes = map[PhaseKind]purpose{Propose: proposing}

// CommonTexts are the texts that the prompts of a phase refer to.
func (r DeliberationRequest) CommonTexts(kind PhaseKind) map[string]string {
	return purposes[kind].common(r)
}

// Ask renders what a turn asks of its model.
func (r DeliberationRequest) Ask(turn Turn) Ask {
	purpose := purposes[turn.Phase().Kind]
	prompt := purpose.prompt(r, turn)
	if hint := purpose.hints[turn.hint]; hint != "" {
		prompt = append(prompt, PromptPart{Text: "\n\n## This time\n" + hint})
	}
	return Ask{
		TurnID: turn.id, AgentID: turn.Agent().id, URL: r.vllmURL, Model: turn.Agent().model, Prompt: prompt,
		Temperature: r.protocol.temperature, MaxTokens: r.protocol.maxTokens, ExtraBody: r.protocol.ExtraBody(), Form: purpose.form,
	}
}
