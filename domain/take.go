package domain

import "time"

// MaxLost is how often an assignment is tried again because its turn was lost.
const MaxLost = 3

// DecisionKind is the kind of a [Decision].
type DecisionKind int

// Kinds of decisions.
const (
	DecisionSettled     DecisionKind = iota + 1 // the assignment is completed
	DecisionGivenUp                             // the assignment has failed
	DecisionAgain                               // wait for After, then submit Next
	DecisionUnreachable                         // wait for After, then submit the same turn; if the council has moved, submit Next
	DecisionWait                                // the turn still runs
)

// Decision says what to do after an outcome.
type Decision struct {
	Kind  DecisionKind
	Next  Turn
	After time.Duration
}

// mostRepeated bounds the attempts of a council that failed, were lost or never started. Each adds some 15 events to a
// history, and Temporal ends a workflow that has 51,200.
const mostRepeated = 2500

// Take records a turn's outcome and decides what follows. The first answer to an assignment counts, even if
// the assignment was given up before. The tokens of all other outcomes are wasted.
func (c Council) Take(turn Turn, outcome Outcome) (Council, Decision) {
	before := c.at(turn.assignment)
	if before == nil {
		return c, Decision{Kind: DecisionSettled}
	}
	result, outcome := turn.result(outcome)
	if before.state == AgentCompleted && before.turn.id == turn.id && outcome.Kind == OutcomeCompleted {
		return c, Decision{Kind: DecisionSettled} // the same answer again: it was paid for once
	}
	c = c.pay(turn, outcome.Usage)
	if before.state == AgentCompleted || outcome.Kind != OutcomeCompleted {
		c.wasted += outcome.Usage.Tokens()
	}
	if before.state == AgentCompleted {
		return c, Decision{Kind: DecisionSettled}
	}
	var decision Decision
	mayRetry := c.repeated() < mostRepeated
	c = c.change(turn.assignment, func(e *entry) { decision = e.take(turn, outcome, result, c.request.constraints, mayRetry) })
	if decision.Kind == DecisionAgain && !c.affords(nil) {
		c = c.change(turn.assignment, func(e *entry) { decision = e.giveUp(turn, beyondBudget(outcome)) })
	}
	return c, decision
}

// repeated counts the attempts of all assignments that gave no answer.
func (c Council) repeated() int {
	sum := 0
	for _, e := range c.ledger {
		sum += e.failures + e.losses + e.unstarted
	}
	return sum
}

// Close gives up every assignment that isn't settled.
func (c Council) Close(failure TurnFailure) Council {
	for _, e := range c.ledger {
		if !e.settled() {
			c, _ = c.Take(e.turn, GivenUp(failure))
		}
	}
	return c
}

func (e *entry) take(turn Turn, outcome Outcome, result DeliberationResult, constraints TaskConstraints, mayRetry bool) Decision {
	e.notice(turn, outcome)
	switch outcome.Kind {
	case OutcomeCompleted:
		e.state, e.turn, e.failure = AgentCompleted, turn, AgentFailure{}
		e.result, e.review = result, outcome.Review
		return Decision{Kind: DecisionSettled}
	case OutcomeGivenUp:
		return e.giveUp(turn, outcome.Failure)
	case OutcomeFailed:
		e.failures++
		if outcome.Failure.kind == InvalidOutput || outcome.Failure.kind == Truncated {
			e.unreadable++
		}
		if !mayRetry || !outcome.Failure.retryable || !constraints.MayRetry(e.failures) || e.hopeless() {
			return e.giveUp(turn, outcome.Failure)
		}
	case OutcomeLost:
		e.losses++
		if outcome.Usage == (Usage{}) {
			e.uncounted++
		}
		if !mayRetry || e.losses > MaxLost {
			return e.giveUp(turn, NewTurnFailure(LostRepeatedly, "its runner died "+Count(e.losses, "time")+": "+outcome.Reason, false))
		}
	case OutcomeCancelled:
		e.unstarted++
		if !mayRetry {
			return e.giveUp(turn, NewTurnFailure(LostRepeatedly, "it was stopped "+Count(e.unstarted, "time")+" before it started", false))
		}
	case OutcomeUnreachable:
		return e.again(DecisionUnreachable, turn)
	case OutcomeRunning:
		return Decision{Kind: DecisionWait}
	}
	return e.again(DecisionAgain, turn.WithHint(HintOf(outcome.Failure)))
}

// notice notes whether the latest attempt may still run. One that is given up while it may run has an unknown cost.
func (e *entry) notice(turn Turn, outcome Outcome) {
	switch {
	case outcome.Ended() && turn.id == e.turn.id:
		e.running = false
	case outcome.Kind == OutcomeGivenUp && e.running:
		e.running = false
		e.uncounted++
	}
}

// mostUnreadable is the number of unreadable answers after which a reviewer is given up.
const mostUnreadable = 2

// hopeless reports whether a reviewer is given up because too many of its answers couldn't be read. A council
// can do with fewer reviews.
func (e *entry) hopeless() bool {
	return e.assignment.Phase.Kind == PeerReview && e.unreadable >= mostUnreadable
}

// again decides that the assignment is tried again. The delay grows with the attempts that failed or never
// started. It doesn't grow with losses: the next runner may be healthy.
func (e *entry) again(kind DecisionKind, turn Turn) Decision {
	if e.settled() { // the outcome of an earlier attempt came late
		return Decision{Kind: DecisionGivenUp}
	}
	next := turn.WithAttempt(max(turn.attempt, e.turn.attempt) + 1)
	return Decision{Kind: kind, Next: next, After: next.RetryDelay(max(1, e.failures, e.unstarted))}
}

func (e *entry) giveUp(turn Turn, failure TurnFailure) Decision {
	if e.state != AgentFailed {
		e.state = AgentFailed
		e.failure = AgentFailure{agentID: turn.assignment.Agent.id, failure: failure, attempts: turn.attempt}
	}
	return Decision{Kind: DecisionGivenUp}
}

// result returns the proposal of a completed turn. If the answer breaks a rule, the turn has failed.
func (t Turn) result(outcome Outcome) (DeliberationResult, Outcome) {
	if outcome.Kind != OutcomeCompleted || t.assignment.Phase.Kind == PeerReview {
		return DeliberationResult{}, outcome
	}
	result, err := NewDeliberationResult(ResultSpec{
		Agent: t.assignment.Agent, Answer: outcome.Answer, Attempts: t.attempt,
		Duration: outcome.Duration, Usage: outcome.Usage, Metadata: outcome.Metadata,
	})
	if err != nil {
		outcome.Kind, outcome.Failure = OutcomeFailed, NewTurnFailure(InvalidOutput, err.Error(), false)
	}
	return result, outcome
}
