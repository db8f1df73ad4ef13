package contract

import (
	"time"

	"deliberation.io/deliberation/domain"
)

// SubmitTurnsInput is which of the request's turns to put to Ray. Only the run's first one carries the
// request; a later one leaves it out, since a council's retries would make the history as large as
// the request times their number: [FirstSubmitted] finds it, and the turn ids prove that it is the same.
type SubmitTurnsInput struct {
	DeliberationID string             `json:"deliberation_id"`
	OriginalRunID  string             `json:"original_run_id"`
	Request        *NormalisedRequest `json:"request,omitempty"`
	Cluster        string             `json:"cluster"`
	Turns          []TurnRef          `json:"turns"`
	RunSeconds     int                `json:"run_seconds"`
	KeepSeconds    int                `json:"keep_seconds"`
	GiveUpAt       time.Time          `json:"give_up_at"`              // no room by then: the refusal is the result
	GraceSeconds   int                `json:"grace_seconds,omitempty"` // none for so long, but elsewhere: the same; 0 = never
}

// TurnRef names a turn of the request: its id is derived again where it is used, and must be the same.
type TurnRef struct {
	AgentID string             `json:"agent_id"`
	Attempt int                `json:"attempt"`
	Hint    domain.FailureKind `json:"hint,omitempty"` // what was wrong with an earlier answer
	TurnID  domain.TurnID      `json:"submission_id"`
}

// SubmitTurnsResult is where the turns live, or the last refusal when there was no room in time.
type SubmitTurnsResult struct {
	Handles   []Handle        `json:"handles,omitempty"`
	Cancelled []domain.TurnID `json:"cancelled,omitempty"` // stopped before they came
	Refusal   string          `json:"refusal,omitempty"`
	Elsewhere bool            `json:"elsewhere,omitempty"` // refused, and another cluster has room
}

// Handle is where a turn lives on Ray.
type Handle struct {
	TurnID      domain.TurnID `json:"submission_id"`
	Cluster     string        `json:"cluster"`
	Runner      string        `json:"runner,omitempty"`
	Incarnation string        `json:"incarnation,omitempty"`
}

// SubmitProgress is what a heartbeat of SubmitTurns says while there is no room.
type SubmitProgress struct {
	State   string    `json:"state"` // queued
	Cluster string    `json:"cluster"`
	Refusal string    `json:"refusal"`
	Since   time.Time `json:"since"`
}

// AwaitTurnInput is the turn to wait for.
type AwaitTurnInput struct {
	Handle       Handle `json:"handle"`
	AnswerBytes  int    `json:"answer_bytes"`
	GraceSeconds int    `json:"grace_seconds,omitempty"` // away for so long, with room elsewhere: unreachable; 0 = never
}

// AwaitProgress is what a heartbeat of AwaitTurn says.
type AwaitProgress struct {
	TurnID       domain.TurnID `json:"submission_id"`
	Polls        int           `json:"polls"`
	State        string        `json:"state"`
	LastAnswerAt time.Time     `json:"last_answer_at"`
	Tokens       int           `json:"tokens"`
	Trouble      string        `json:"trouble,omitempty"`    // what it waits for: its cluster, or its model server
	Unanswered   int           `json:"unanswered,omitempty"` // attempts in a row whose poll nobody answered
}

// StopTurnsInput names turns to stop, and turns whose outcomes may be forgotten.
type StopTurnsInput struct {
	DeliberationID string   `json:"deliberation_id"`
	Stop           []Handle `json:"stop,omitempty"`
	Forget         []Handle `json:"forget,omitempty"`
	AnswerBytes    int      `json:"answer_bytes,omitempty"`
	Reason         string   `json:"reason,omitempty"`
	Partly         bool     `json:"partly,omitempty"` // what is known of some is an answer
}

// StopTurnsResult is what became of each stopped turn.
type StopTurnsResult struct {
	Outcomes map[domain.TurnID]TurnOutcome `json:"outcomes,omitempty"`
}

// Domain is the handle as the domain knows it.
func (h Handle) Domain() domain.Handle { return domain.Handle(h) }

// HandlesOf maps the domain's handles.
func HandlesOf(handles []domain.Handle) []Handle {
	mapped := make([]Handle, 0, len(handles))
	for _, handle := range handles {
		mapped = append(mapped, Handle(handle))
	}
	return mapped
}

// TurnsOf are the turns of the request that the input names, in its order.
func (in SubmitTurnsInput) TurnsOf(request domain.DeliberationRequest) []domain.Turn {
	all := request.Turns(domain.RunKey{WorkflowID: in.DeliberationID, OriginalRunID: in.OriginalRunID})
	turns := make([]domain.Turn, 0, len(in.Turns))
	for _, ref := range in.Turns {
		for _, turn := range all {
			if turn.Agent().ID() == ref.AgentID {
				turns = append(turns, turn.Attempt(ref.Attempt).After(ref.Hint))
			}
		}
	}
	return turns
}
