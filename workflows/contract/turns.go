package contract

import (
	"time"

	"deliberation.io/deliberation/domain"
)

// SubmitTurnsInput names the turns to submit to Ray. Only the first submit of a phase carries the brief: otherwise
// each retry would add all texts to the history. A later submit finds the brief in the history, and the turn ids
// prove that it is the same work.
type SubmitTurnsInput struct {
	DeliberationID string        `json:"deliberation_id"`
	OriginalRunID  string        `json:"original_run_id"`
	Brief          *Brief        `json:"brief,omitempty"`
	Cluster        string        `json:"cluster"`
	Turns          []TurnRef     `json:"turns"`
	RunSeconds     int           `json:"run_seconds"`
	KeepSeconds    int           `json:"keep_seconds"`
	GiveUpAt       time.Time     `json:"give_up_at"`              // after this time the last refusal is the result
	GraceSeconds   int           `json:"grace_seconds,omitempty"` // return Elsewhere when this cluster has had no room for this long and another has; 0 = never
	Events         []EventRecord `json:"events,omitempty"`        // to publish once Ray has accepted the turns
	Repeated       bool          `json:"repeated,omitempty"`      // an earlier submit of these turns may have been accepted without an answer
}

func (in SubmitTurnsInput) Phase() domain.Phase {
	if len(in.Turns) == 0 {
		return domain.Phase{}
	}
	return domain.Phase{Kind: in.Turns[0].Phase, Round: in.Turns[0].Round}
}

// TurnRef names a turn. Whoever uses it derives the turn's id again, which must be the same.
type TurnRef struct {
	Phase   domain.PhaseKind   `json:"phase"`
	Round   int                `json:"round,omitempty"`
	AgentID string             `json:"agent_id"`
	Attempt int                `json:"attempt"`
	Hint    domain.FailureKind `json:"hint,omitempty"`        // what was wrong with an earlier answer
	Detail  string             `json:"hint_detail,omitempty"` // the same in words, if the hint quotes them
	Reads   []domain.TurnID    `json:"reads,omitempty"`       // the turns whose answers the prompt contains
	TurnID  domain.TurnID      `json:"submission_id"`
}

// SubmitTurnsResult says where the turns live, or has the last refusal if there was no room in time.
type SubmitTurnsResult struct {
	Handles   []Handle        `json:"handles,omitempty"`
	Cancelled []domain.TurnID `json:"cancelled,omitempty"` // turns that were stopped before they were submitted
	Refusal   string          `json:"refusal,omitempty"`
	Elsewhere bool            `json:"elsewhere,omitempty"` // refused, and another cluster has room
	Announced bool            `json:"announced,omitempty"` // all events of the input are stored
}

// Handle says where a turn lives on Ray.
type Handle struct {
	TurnID      domain.TurnID `json:"submission_id"`
	Cluster     string        `json:"cluster"`
	Runner      string        `json:"runner,omitempty"`
	Incarnation string        `json:"incarnation,omitempty"`
}

// SubmitProgress is the content of SubmitTurns' heartbeats while there is no room.
type SubmitProgress struct {
	State   string    `json:"state"` // queued
	Cluster string    `json:"cluster"`
	Refusal string    `json:"refusal"`
	Since   time.Time `json:"since"`
}

// AwaitTurnInput names the turn to wait for, and says how to read its answer.
type AwaitTurnInput struct {
	Handle       Handle   `json:"handle"`
	Reading      *Reading `json:"reading,omitempty"` // nil for a proposal
	AnswerBytes  int      `json:"answer_bytes"`
	GraceSeconds int      `json:"grace_seconds,omitempty"` // return *unreachable* when the cluster has been away for this long and another is up; 0 = never
}

// AwaitProgress is the content of AwaitTurn's heartbeats.
type AwaitProgress struct {
	TurnID       domain.TurnID `json:"submission_id"`
	Polls        int           `json:"polls"`
	State        string        `json:"state"`
	LastAnswerAt time.Time     `json:"last_answer_at"`
	Tokens       int           `json:"tokens"`
	Trouble      string        `json:"trouble,omitempty"`    // what the turn waits for: its cluster, or its model server
	Unanswered   int           `json:"unanswered,omitempty"` // tries in a row whose poll got no answer
}

// ReasonPatience is the reason to stop the slow turns of a phase while the council goes on.
const ReasonPatience = "patience"

// StopTurnsInput names turns to stop.
type StopTurnsInput struct {
	DeliberationID string   `json:"deliberation_id"`
	Turns          []Handle `json:"turns"`
	Reason         string   `json:"reason"`
	AnswerBytes    int      `json:"answer_bytes,omitempty"`  // if 0, the result has the turns' cost and no answers
	AllowPartial   bool     `json:"allow_partial,omitempty"` // succeed even if only some turns were seen to stop

	// Readings say how to read answers that aren't only proposals, by turn.
	Readings map[domain.TurnID]Reading `json:"readings,omitempty"`
}

// StopTurnsResult has the outcome of each turn that was seen to end.
type StopTurnsResult struct {
	Outcomes map[domain.TurnID]TurnOutcome `json:"outcomes,omitempty"`
}

// CloseDeliberationInput has what is left to do at the end of a run: the last events, and the outcomes that Ray may
// forget because they are in history.
type CloseDeliberationInput struct {
	DeliberationID  string        `json:"deliberation_id"`
	TaskDescription string        `json:"task_description,omitempty"` // for the events that show it
	Events          []EventRecord `json:"events,omitempty"`
	Forget          []Handle      `json:"forget,omitempty"`
}

// CloseDeliberationResult says which events were stored.
type CloseDeliberationResult struct {
	Stored      int    `json:"stored"`                 // events, counted from the first
	EventsError string `json:"events_error,omitempty"` // why the remaining events weren't stored
}

func (h Handle) Domain() domain.Handle { return domain.Handle(h) }

// HandlesOf maps the domain's handles.
func HandlesOf(handles []domain.Handle) []Handle {
	return domain.Each(handles, func(handle domain.Handle) Handle { return Handle(handle) })
}

// TurnRefOf names a turn.
func TurnRefOf(turn domain.Turn) TurnRef {
	return TurnRef{
		Phase: turn.Phase().Kind, Round: turn.Phase().Round, AgentID: turn.Agent().ID(), Attempt: turn.Attempt(),
		Hint: turn.Hint().Kind, Detail: turn.Hint().Detail, Reads: turn.Assignment().Reads, TurnID: turn.ID(),
	}
}

// TurnsOf derives the turns that the input names, in its order. It leaves out turns of agents that the request
// doesn't have.
func (in SubmitTurnsInput) TurnsOf(request domain.DeliberationRequest) []domain.Turn {
	run := domain.RunKey{WorkflowID: in.DeliberationID, OriginalRunID: in.OriginalRunID}
	turns := make([]domain.Turn, 0, len(in.Turns))
	for _, ref := range in.Turns {
		if assignment, known := ref.assignment(request); known {
			turns = append(turns, request.Turn(run, assignment).WithAttempt(ref.Attempt).WithHint(domain.Hint{Kind: ref.Hint, Detail: ref.Detail}))
		}
	}
	return turns
}

func (r TurnRef) assignment(request domain.DeliberationRequest) (domain.Assignment, bool) {
	phase := domain.Phase{Kind: r.Phase, Round: r.Round}
	agent, known := request.Agent(phase, r.AgentID)
	return domain.Assignment{Phase: phase, Agent: agent, Reads: r.Reads}, known
}

// Brief has what the prompts of a phase are made of: the request, and the texts that the turns read. Each text
// travels once, under the id of the turn that answered with it.
type Brief struct {
	Request   *NormalisedRequest `json:"request"`
	Proposals []ProposalText     `json:"proposals,omitempty"`
	Critiques []CritiqueText     `json:"critiques,omitempty"`
	Fence     string             `json:"fence,omitempty"`
}

// ProposalText is a proposal as other agents read it.
type ProposalText struct {
	TurnID    domain.TurnID `json:"submission_id"`
	Proposal  string        `json:"proposal"`
	Reasoning string        `json:"reasoning,omitempty"`
	Answer    string        `json:"answer,omitempty"`
}

// CritiqueText is what one review says about one proposal.
type CritiqueText struct {
	By       domain.TurnID `json:"by"`
	Of       domain.TurnID `json:"of"`
	Text     string        `json:"text"`
	Blocking []string      `json:"blocking,omitempty"`
}

// Reading says how to read an answer that isn't only a proposal.
type Reading struct {
	Phase    domain.PhaseKind `json:"phase"`
	Reads    []domain.TurnID  `json:"reads,omitempty"`
	Criteria []string         `json:"criteria,omitempty"`
	Votes    bool             `json:"votes,omitempty"` // the answer of a proposal is counted
}

// BriefOf gathers what the assignments read, in their order.
func BriefOf(request *NormalisedRequest, fence string, council domain.Council, assignments []domain.Assignment) *Brief {
	texts := council.Texts(assignments)
	if len(request.Proposals) > 0 { // the texts of the brief include them
		short := *request
		short.Proposals, request = nil, &short
	}
	brief := &Brief{Request: request}
	given := map[domain.TurnID]bool{}
	for _, assignment := range assignments {
		for _, id := range assignment.Reads {
			text, isProposal := texts.Proposals[id]
			if !isProposal || given[id] {
				continue
			}
			given[id] = true
			brief.Proposals = append(brief.Proposals, ProposalText{TurnID: id, Proposal: text.Proposal, Reasoning: text.Reasoning, Answer: text.Answer})
		}
	}
	for _, critique := range texts.Critiques {
		brief.Critiques = append(brief.Critiques, CritiqueText(critique))
	}
	if len(given) > 0 {
		brief.Fence = assignments[0].Phase.Fence(fence)
	}
	return brief
}

func (b Brief) Texts() domain.Texts {
	texts := domain.Texts{Proposals: make(map[domain.TurnID]domain.ProposalText, len(b.Proposals)), Fence: b.Fence}
	for _, text := range b.Proposals {
		texts.Proposals[text.TurnID] = domain.ProposalText{Proposal: text.Proposal, Reasoning: text.Reasoning, Answer: text.Answer}
	}
	for _, critique := range b.Critiques {
		texts.Critiques = append(texts.Critiques, domain.Critique(critique))
	}
	return texts
}

// ReadingOf says how to read the answer of a turn; nil for a proposal of a council that doesn't vote.
func ReadingOf(request domain.DeliberationRequest, turn domain.Turn) *Reading {
	reading := request.Reading(turn)
	if reading.Kind != domain.PeerReview && !reading.Votes {
		return nil
	}
	return &Reading{Phase: reading.Kind, Reads: reading.Reads, Criteria: reading.Criteria, Votes: reading.Votes}
}

func (r *Reading) Domain() domain.Reading {
	if r == nil {
		return domain.Reading{Kind: domain.Propose}
	}
	return domain.Reading{Kind: r.Phase, Reads: r.Reads, Criteria: r.Criteria, Votes: r.Votes}
}
