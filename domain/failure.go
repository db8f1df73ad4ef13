package domain

// FailureKind says why a turn, an agent or a whole deliberation has no result. Append only: it travels in
// histories, results and events.
type FailureKind string

// Kinds that the Ray app reports of a model call.
const (
	ModelUnavailable FailureKind = "ModelUnavailable"
	ModelOverloaded  FailureKind = "ModelOverloaded" // the server put calls off until the turn's time was over
	ModelRejected    FailureKind = "ModelRejected"
	ContextTooLong   FailureKind = "ContextTooLong"
	Truncated        FailureKind = "Truncated"
	ModelTimeout     FailureKind = "ModelTimeout"
	AnswerTooLarge   FailureKind = "AnswerTooLarge"
	URLNotAllowed    FailureKind = "UrlNotAllowed"
)

// Kinds that are decided here.
const (
	InvalidRequest     FailureKind = "InvalidRequest"     // the request breaks a rule
	InvalidOutput      FailureKind = "InvalidOutput"      // the answer has no proposal
	LostRepeatedly     FailureKind = "LostRepeatedly"     // its runner died too often
	RayDenied          FailureKind = "RayDenied"          // the Ray app refuses our token
	TurnRejected       FailureKind = "TurnRejected"       // the Ray app calls the turn malformed
	StillRunning       FailureKind = "StillRunning"       // not finished by the deadline
	DeadlineExceeded   FailureKind = "DeadlineExceeded"   // no result by the deadline
	DeliberationFailed FailureKind = "DeliberationFailed" // too few proposals
	Cancelled          FailureKind = "Cancelled"
	Terminated         FailureKind = "Terminated" // ended from outside, by a person or by Temporal
	TimedOut           FailureKind = "TimedOut"   // ended by a timeout that its caller gave to Temporal
)

// MaxMessage bounds a failure's message, in bytes of Go's JSON encoding.
const MaxMessage = 2 << 10

// TurnFailure says why a turn has no result.
type TurnFailure struct {
	kind      FailureKind
	message   string // for people
	retryable bool   // another attempt may succeed
}

func (f TurnFailure) Kind() FailureKind { return f.kind }
func (f TurnFailure) Message() string   { return f.message }
func (f TurnFailure) Retryable() bool   { return f.retryable }

// NewTurnFailure makes a failure. It cuts the message to [MaxMessage].
func NewTurnFailure(kind FailureKind, message string, retryable bool) TurnFailure {
	cut, _ := CutEncoded(message, MaxMessage)
	return TurnFailure{kind: kind, message: cut, retryable: retryable}
}

// AgentFailure says why an agent has no proposal.
type AgentFailure struct {
	agentID  string
	failure  TurnFailure
	attempts int // how many there were
}

func (f AgentFailure) AgentID() string   { return f.agentID }
func (f AgentFailure) Kind() FailureKind { return f.failure.kind }
func (f AgentFailure) Message() string   { return f.failure.message }
func (f AgentFailure) Attempts() int     { return f.attempts }
