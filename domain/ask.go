package domain

import "cmp"

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
	Phase       Phase
	Attempt     int
	URL         string
	Model       string
	Prompt      []PromptPart
	Temperature float64
	MaxTokens   int
	ExtraBody   map[string]string // sent to the model server unchanged: the JSON of each value by its name
	Form        AnswerForm
}

// Texts are the answers that the turns of a phase read, by the turns that gave them.
type Texts struct {
	Proposals map[TurnID]ProposalText
	Critiques []Critique
	Fence     string // a secret of the phase; the fences around texts of models are derived from it
}

// ProposalText is a proposal as other agents read it.
type ProposalText struct {
	Proposal  string
	Reasoning string
	Answer    string // if the council votes
}

// Critique is what one review says about one proposal, as its author reads it.
type Critique struct {
	By       TurnID
	Of       TurnID
	Text     string
	Blocking []string
}

// purpose says what the turns of a kind of phase ask for, and in which form. Each kind has its own file.
type purpose struct {
	form   func(DeliberationRequest, Turn) AnswerForm
	common func(DeliberationRequest, Texts) map[string]string // the texts that the prompts share; each prompt begins with CommonTask
	prompt func(DeliberationRequest, Turn, Texts) []PromptPart
	hints  map[FailureKind]string // advice for the next attempt, by the failure of the previous one
}

var purposes = map[PhaseKind]purpose{Propose: proposing, PeerReview: reviewing, Revise: revising, Synthesize: synthesizing}

// CommonTexts returns the texts that the prompts of a kind of phase refer to, by their names.
func (r DeliberationRequest) CommonTexts(kind PhaseKind, texts Texts) map[string]string {
	return purposes[kind].common(r, texts)
}

func (r DeliberationRequest) Ask(turn Turn, texts Texts) Ask {
	purpose := purposes[turn.Phase().Kind]
	prompt := purpose.prompt(r, turn, texts)
	if hint := turn.hintText(); hint != "" {
		prompt = append(prompt, PromptPart{Text: "\n\n## This time\n" + hint})
	}
	return Ask{
		TurnID: turn.id, AgentID: turn.Agent().id, Phase: turn.Phase(), Attempt: turn.attempt,
		URL: r.urlOf(turn), Model: turn.Agent().model, Prompt: prompt,
		Temperature: r.protocol.Temperature(), MaxTokens: r.protocol.MaxTokens(), ExtraBody: r.protocol.ExtraBody(), Form: purpose.form(r, turn),
	}
}

// urlOf returns the URL of a turn's model server: the judge and the chair may have their own.
func (r DeliberationRequest) urlOf(turn Turn) string {
	switch kind := turn.Phase().Kind; {
	case kind == Synthesize:
		return cmp.Or(r.protocol.spec.ChairURL, r.vllmURL)
	case kind == PeerReview && r.protocol.Review() == ReviewJudge:
		return cmp.Or(r.protocol.spec.JudgeURL, r.vllmURL)
	}
	return r.vllmURL
}

// Texts collects, from the ledger, the answers that the assignments read.
func (c Council) Texts(assignments []Assignment) Texts {
	texts := Texts{Proposals: map[TurnID]ProposalText{}}
	for _, assignment := range assignments {
		for _, id := range assignment.Reads {
			switch e := c.byTurn(id); {
			case e == nil || e.state != AgentCompleted:
			case e.assignment.Phase.Kind != PeerReview:
				texts.Proposals[id] = e.result.text()
			default: // only what the review says about the text that is revised
				if note, noted := e.review.note(assignment.Reads[0]); noted {
					texts.Critiques = append(texts.Critiques, Critique{By: id, Of: note.Of, Text: note.Critique, Blocking: note.Blocking})
				}
			}
		}
	}
	return texts
}
