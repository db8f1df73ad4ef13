package ray

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"deliberation.io/deliberation/domain"
)

const (
	// tripAfter is how many calls in a row must stay unanswered before the cluster isn't asked any more.
	tripAfter = 5
	// tripBehind is how long before them the last answer must be: what one lost gateway costs at once is no
	// sign that the cluster is away.
	tripBehind = 2 * time.Second
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
	// waiting calls aren't made while the cluster is away: hundreds of them would ask in vain, and one that
	// found it back would keep everybody else out for as long as its turn takes.
	waiting use = iota
	// asking calls find out whether it is back, one at a time.
	asking
	// unguarded calls are made whatever was heard: a stop is worth a try.
	unguarded
)

// breaker keeps calls from a cluster that doesn't answer. Only silence counts against it: whatever the app
// says, also that it is full, is an answer. A submit or [Client.Info] closes it again.
type breaker struct {
	steps *gobreaker.TwoStepCircuitBreaker[struct{}]
	last  atomic.Pointer[string] // why a call wasn't answered
	heard atomic.Int64           // when one was, in Unix nanoseconds
}

func newBreaker(name string, changed func(from, to BreakerState, why string)) *breaker {
	b := &breaker{}
	b.steps = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:    name,
		Timeout: openFor,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return counts.ConsecutiveFailures >= tripAfter && time.Since(time.Unix(0, b.heard.Load())) >= tripBehind
		},
		IsSuccessful: func(err error) bool { return !unanswered(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if changed != nil {
				changed(BreakerState(from), BreakerState(to), b.why())
			}
		},
	})
	return b
}

// unanswered reports whether nobody answered. It includes the end of a caller's time: a submit's is shorter
// than the client's own. Whoever cuts a wait is there, and so is the app, as far as one can see.
func unanswered(err error) bool {
	if other, is := asStranger(err); is && other.status == http.StatusRequestTimeout {
		return false
	}
	ours, is := errors.AsType[*domain.Error](err)
	return is && ours.Kind == domain.KindUnreachable || errors.Is(err, context.DeadlineExceeded)
}

// admit is asked before a call, and told its error after it. The error is why the call isn't made.
func (b *breaker) admit(as use) (done func(error), refused error) {
	if as == unguarded {
		return func(error) {}, nil
	}
	if as == waiting && b.steps.State() != gobreaker.StateClosed {
		return nil, b.refusal()
	}
	told, err := b.steps.Allow()
	if err != nil {
		return nil, b.refusal()
	}
	return func(err error) {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			b.because("no answer in time")
		case unanswered(err):
			b.because(errors.Unwrap(err).Error())
		case !errors.Is(err, context.Canceled):
			b.heard.Store(time.Now().UnixNano())
		}
		told(err)
	}, nil
}

func (b *breaker) because(why string) { b.last.Store(&why) }

func (b *breaker) refusal() error {
	return fmt.Errorf("not asked for a moment, since it did not answer: %s", b.why())
}

func (b *breaker) why() string {
	if last := b.last.Load(); last != nil {
		return *last
	}
	return "no reason known"
}
