package domain

// Names of the texts that all agents of a council share. A [PromptPart] refers to such a text by its name.
const (
	CommonTask        = "task"
	CommonDescription = "task_description"
)

// PromptPart is a piece of a prompt: either a reference to a shared text or a text.
type PromptPart struct {
	Ref  string
	Text string
}

// AnswerForm is the form that an answer is asked for in: a JSON schema and its name.
type AnswerForm struct {
	Name   string
	Schema string
}

// Ask is a turn's model call, ready to be sent.
type Ask struct {
	TurnID      TurnID
	AgentID     string
	URL         string
	Model       string
	Prompt      []PromptPart
	Temperature float64
	MaxTokens   int
	ExtraBody   map[string]string // sent to the model server unchanged: the JSON of each value by its name
	Form        AnswerForm
}

// purpose says what the turns of a kind of phase ask for, and in which form. Each kind has its own file.
type purpose struct {
	form   AnswerForm
	common func(DeliberationRequest) map[string]string // the texts that the prompts share; each prompt begins with CommonTask
	prompt func(DeliberationRequest, Turn) []PromptPart
	hints  map[FailureKind]string // advice for the next attempt, by the failure of the previous one
}

var purposes = map[PhaseKind]purpose{Propose: proposing}

// CommonTexts returns the texts that the prompts of a kind of phase refer to, by their names.
func (r DeliberationRequest) CommonTexts(kind PhaseKind) map[string]string {
	return purposes[kind].common(r)
}

// Ask renders a turn's model call.
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
