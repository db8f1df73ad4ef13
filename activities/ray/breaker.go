package ray

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"deliberation.io/deliberation/domain"
)

const (
	// tripAfter is how many calls in a row must stay unanswered before the cluster isn't asked any more.
	tripAfter = 5
	// openFor is how long it isn't asked: about what a gateway takes to come back.
	openFor = 3 * time.Second
)

// BreakerState is whether a cluster is asked.
type BreakerState int

// States of a breaker. A half-open one lets a probe through and nothing else.
const (
	BreakerClosed   BreakerState = BreakerState(gobreaker.StateClosed)
	BreakerHalfOpen BreakerState = BreakerState(gobreaker.StateHalfOpen)
	BreakerOpen     BreakerState = BreakerState(gobreaker.StateOpen)
)

func (s BreakerState) String() string { return gobreaker.State(s).String() }

// use is how a call meets the breaker.
type use int

const (
	// guarded calls aren't made while the cluster is away: hundreds of waits would ask in vain.
	guarded use = iota
	// probing calls find out whether it is back.
	probing
	// unguarded calls are made whatever was heard: a stop is worth a try.
	unguarded
)

// breaker keeps calls from a cluster that doesn't answer. Only silence counts against it: whatever the app
// says, also that it is full, is an answer.
type breaker struct {
	steps *gobreaker.TwoStepCircuitBreaker[struct{}]
	last  atomic.Pointer[string] // why a call wasn't answered
}

func newBreaker(name string, changed func(from, to BreakerState, why string)) *breaker {
	b := &breaker{}
	b.steps = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		Timeout:      openFor,
		ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= tripAfter },
		IsSuccessful: func(err error) bool { return !unanswered(err) },
		IsExcluded: func(err error) bool {
			return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if changed != nil {
				changed(BreakerState(from), BreakerState(to), b.why())
			}
		},
	})
	return b
}

func unanswered(err error) bool {
	ours, is := errors.AsType[*domain.Error](err)
	return is && ours.Kind == domain.KindUnreachable
}

// admit is asked before a call, and told its error after it. The error is why the call isn't made.
func (b *breaker) admit(as use) (done func(error), refused error) {
	if as == unguarded {
		return func(error) {}, nil
	}
	// A half-open breaker takes one call: a wait would keep everybody else out for as long as its turn takes.
	if as == guarded && b.steps.State() != gobreaker.StateClosed {
		return nil, b.refusal()
	}
	told, err := b.steps.Allow()
	if err != nil {
		return nil, b.refusal()
	}
	return func(err error) {
		if unanswered(err) {
			why := errors.Unwrap(err).Error()
			b.last.Store(&why)
		}
		told(err)
	}, nil
}

func (b *breaker) refusal() error {
	return fmt.Errorf("not asked for a moment, since it did not answer: %s", b.why())
}

func (b *breaker) why() string {
	if last := b.last.Load(); last != nil {
		return *last
	}
	return "no reason known"
}
