package contract

import (
	"errors"
	"maps"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

// TurnOutcome is the outcome of a turn. A failed turn is a value, not an error: the workflow decides what
// follows from it.
type TurnOutcome struct {
	Kind       domain.OutcomeKind `json:"kind"`
	Proposal   string             `json:"proposal,omitempty"`
	Reasoning  string             `json:"reasoning,omitempty"`
	Score      float64            `json:"score,omitempty"`
	Answer     string             `json:"answer,omitempty"` // what is counted if the council votes
	Review     *Review            `json:"review,omitempty"`
	ErrorType  domain.FailureKind `json:"error_type,omitempty"`
	Message    string             `json:"message,omitempty"`
	Retryable  bool               `json:"retryable,omitempty"`
	Usage      Usage              `json:"usage"`
	Calls      int                `json:"calls,omitempty"`
	DurationMS int64              `json:"duration_ms,omitempty"`
	Metadata   map[string]string  `json:"metadata,omitempty"`
}

// Review is the answer of a turn in a review phase.
type Review struct {
	Notes   []Note          `json:"notes"`
	Ranking []domain.TurnID `json:"ranking"`
}

// Note is what a review says about one proposal.
type Note struct {
	Of       domain.TurnID  `json:"of"`
	Marks    map[string]int `json:"marks"`
	Critique string         `json:"critique,omitempty"`
	Blocking []string       `json:"blocking,omitempty"`
}

func reviewOf(review domain.Review) *Review {
	if len(review.Notes) == 0 {
		return nil
	}
	return &Review{Ranking: review.Ranking, Notes: domain.Each(review.Notes, func(note domain.Note) Note { return Note(note) })}
}

func (r *Review) domain() domain.Review {
	if r == nil {
		return domain.Review{}
	}
	return domain.Review{Ranking: r.Ranking, Notes: domain.Each(r.Notes, func(note Note) domain.Note { return domain.Note(note) })}
}

// Usage counts the tokens of one answer.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
}

// TurnOutcomeOf maps the domain's outcome.
func TurnOutcomeOf(outcome domain.Outcome) TurnOutcome {
	message := outcome.Reason
	if outcome.Kind == domain.OutcomeFailed {
		message = outcome.Failure.Message()
	}
	return TurnOutcome{
		Kind:     outcome.Kind,
		Proposal: outcome.Answer.Proposal(), Reasoning: outcome.Answer.Reasoning(), Score: outcome.Answer.Score(), Answer: outcome.Answer.Short(),
		Review:    reviewOf(outcome.Review),
		ErrorType: outcome.Failure.Kind(), Message: message, Retryable: outcome.Failure.Retryable(),
		Usage: usageOf(outcome.Usage), Calls: outcome.Usage.Calls,
		DurationMS: outcome.Duration.Milliseconds(), Metadata: maps.Clone(outcome.Metadata),
	}
}

// Domain maps the outcome to the domain. It checks nothing again.
func (o TurnOutcome) Domain() domain.Outcome {
	outcome := domain.Outcome{
		Kind: o.Kind, Usage: o.Usage.domain(o.Calls),
		Duration: time.Duration(o.DurationMS) * time.Millisecond, Metadata: o.Metadata,
	}
	switch o.Kind {
	case domain.OutcomeCompleted:
		outcome.Answer, outcome.Review = domain.RestoredAnswer(o.Proposal, o.Reasoning, o.Score).WithShort(o.Answer), o.Review.domain()
	case domain.OutcomeFailed:
		outcome.Failure = domain.NewTurnFailure(o.ErrorType, o.Message, o.Retryable)
	case domain.OutcomeLost, domain.OutcomeUnreachable, domain.OutcomeCancelled, domain.OutcomeRunning, domain.OutcomeGivenUp:
		outcome.Reason = o.Message
	}
	return outcome
}

func usageOf(usage domain.Usage) Usage {
	return Usage{PromptTokens: usage.PromptTokens, CompletionTokens: usage.CompletionTokens}
}

func (u Usage) domain(calls int) domain.Usage {
	return domain.Usage{PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens, Calls: calls}
}

// FailureOf returns the failure of the agents that waited for an activity which returned this error.
func FailureOf(err error) domain.TurnFailure {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return domain.NewTurnFailure(domain.FailureKind(application.Type()), application.Message(), false)
	}
	if TimedOut(err) {
		return domain.NewTurnFailure(domain.DeadlineExceeded, "no worker ended it in time", false)
	}
	return domain.NewTurnFailure(domain.DeliberationFailed, err.Error(), false)
}

// TimedOut reports whether an activity ran out of time: its last try was cut off, or it failed and there was no
// time for another one.
func TimedOut(err error) bool {
	activity, ok := errors.AsType[*temporal.ActivityError](err)
	if !ok {
		return false
	}
	_, cut := activity.Unwrap().(*temporal.TimeoutError) //nolint:errorlint // a cause further down is another matter
	return cut || activity.RetryState() == enumspb.RETRY_STATE_TIMEOUT
}
