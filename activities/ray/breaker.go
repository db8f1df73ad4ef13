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
	// tripAfter is for how long all calls must stay unanswered before the cluster isn't asked any more. Calls aren't
	// counted: one lost gateway costs many at once, and is no sign that the cluster is away.
	tripAfter = 2 * time.Second
	// openFor is how long the cluster isn't asked: about what a gateway takes to come back.
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

// policy is what a call does while the cluster doesn't answer.
type policy int

const (
	// skipWhenOpen calls aren't made: hundreds of waits would ask in vain, and one that found the cluster back
	// would keep all others out for as long as its turn takes.
	skipWhenOpen policy = iota
	// probeWhenOpen calls find out whether the cluster is back, one at a time.
	probeWhenOpen
	// always calls are made: a stop is sent even while the breaker is open.
	always
)

// breaker keeps calls from a cluster that doesn't answer. Only silence counts against it: whatever the app
// says, also that it is full, is an answer. A submit or [Client.Info] closes it again.
type breaker struct {
	steps      *gobreaker.TwoStepCircuitBreaker[struct{}]
	reason     atomic.Pointer[string] // why the last unanswered call wasn't answered
	silentFrom atomic.Int64           // when the first call after an answer stayed unanswered, in Unix nanoseconds; 0 after an answer
}

func newBreaker(name string, changed func(from, to BreakerState, why string)) *breaker {
	b := &breaker{}
	b.steps = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:    name,
		Timeout: openFor,
		ReadyToTrip: func(gobreaker.Counts) bool {
			return time.Since(time.Unix(0, b.silentFrom.Load())) >= tripAfter
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

// admit is called before a call, and done with the call's error after it. The error is why the call isn't made.
func (b *breaker) admit(as policy) (done func(error), refused error) {
	if as == always {
		return func(error) {}, nil
	}
	if as == skipWhenOpen && b.steps.State() != gobreaker.StateClosed {
		return nil, b.refusal()
	}
	report, err := b.steps.Allow()
	if err != nil {
		return nil, b.refusal()
	}
	return func(err error) {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			b.noteSilence("no answer in time")
		case unanswered(err):
			b.noteSilence(errors.Unwrap(err).Error())
		case !errors.Is(err, context.Canceled):
			b.silentFrom.Store(0)
		}
		report(err)
	}, nil
}

func (b *breaker) noteSilence(why string) {
	b.reason.Store(&why)
	b.silentFrom.CompareAndSwap(0, time.Now().UnixNano())
}

func (b *breaker) refusal() error {
	return fmt.Errorf("not asked for a moment, since it did not answer: %s", b.why())
}

func (b *breaker) why() string {
	if last := b.reason.Load(); last != nil {
		return *last
	}
	return "no reason known"
}
