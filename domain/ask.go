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

// Texts are what the turns of a phase read, by the turns that answered with them.
type Texts struct {
	Proposals map[TurnID]ProposalText
	Critiques []Critique
	Fence     string // a secret from which the fences around what is data are derived
}

// ProposalText is a proposal as others read it.
type ProposalText struct {
	Proposal  string
	Reasoning string
}

// Critique is what one review says about one proposal.
type Critique struct {
	By       TurnID
	Of       TurnID
	Text     string
	Blocking []string
}

// purpose is what a kind of phase asks and in which form. Each kind has a file of its own.
type purpose struct {
	form   func(DeliberationRequest, Turn) AnswerForm
	common func(DeliberationRequest, Texts) map[string]string // the texts that prompts share; CommonTask opens each
	prompt func(DeliberationRequest, Turn, Texts) []PromptPart
	hints  map[FailureKind]string // what a later attempt does better, by what was wrong with the previous one
}

var purposes = map[PhaseKind]purpose{Propose: proposing, PeerReview: reviewing, Revise: revising}

// CommonTexts are the texts that the prompts of a phase refer to.
func (r DeliberationRequest) CommonTexts(kind PhaseKind, texts Texts) map[string]string {
	return purposes[kind].common(r, texts)
}

// Ask renders what a turn asks of its model.
func (r DeliberationRequest) Ask(turn Turn, texts Texts) Ask {
	purpose := purposes[turn.Phase().Kind]
	prompt := purpose.prompt(r, turn, texts)
	if hint := turn.hintText(); hint != "" {
		prompt = append(prompt, PromptPart{Text: "\n\n## This time\n" + hint})
	}
	return Ask{
		TurnID: turn.id, AgentID: turn.Agent().id, URL: r.urlOf(turn), Model: turn.Agent().model, Prompt: prompt,
		Temperature: r.protocol.temperature, MaxTokens: r.protocol.maxTokens, ExtraBody: r.protocol.ExtraBody(), Form: purpose.form(r, turn),
	}
}

// urlOf is the model server of a turn: the judge may have one of its own.
func (r DeliberationRequest) urlOf(turn Turn) string {
	if turn.Phase().Kind == PeerReview && r.protocol.review == ReviewJudge && r.protocol.judgeURL != "" {
		return r.protocol.judgeURL
	}
	return r.vllmURL
}

// Texts gathers what the assignments read from the council's ledger.
func (c Council) Texts(assignments []Assignment) Texts {
	texts := Texts{Proposals: map[TurnID]ProposalText{}}
	for _, assignment := range assignments {
		for _, id := range assignment.Reads {
			texts = c.add(texts, id, assignment)
		}
	}
	return texts
}

// add adds what a turn answered. Of a review, that is only what it says about the text that is revised.
func (c Council) add(texts Texts, id TurnID, to Assignment) Texts {
	for _, e := range c.ledger {
		switch {
		case e.turn.id != id || e.state != AgentCompleted:
		case e.assignment.Phase.Kind == PeerReview:
			if note, noted := e.review.note(to.Reads[0]); noted {
				texts.Critiques = append(texts.Critiques, Critique{By: id, Of: note.Of, Text: note.Critique, Blocking: note.Blocking})
			}
		default:
			texts.Proposals[id] = ProposalText{Proposal: e.result.Proposal(), Reasoning: e.result.Reasoning()}
		}
	}
	return texts
}
