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
	// tripAfter is how long all calls must stay unanswered before the breaker opens. The number of calls doesn't
	// count: one lost gateway costs many calls together, although the cluster isn't away.
	tripAfter = 2 * time.Second
	// openFor is how long the breaker stays open: about the time that a gateway takes to come back.
	openFor = 3 * time.Second
)

// BreakerState says whether calls to a cluster are made.
type BreakerState int

// States of a breaker. A half-open one lets a probe through and nothing else.
const (
	BreakerClosed   BreakerState = BreakerState(gobreaker.StateClosed)
	BreakerHalfOpen BreakerState = BreakerState(gobreaker.StateHalfOpen)
	BreakerOpen     BreakerState = BreakerState(gobreaker.StateOpen)
)

func (s BreakerState) String() string { return gobreaker.State(s).String() }

// policy says what a call does while the breaker is open.
type policy int

const (
	// skipWhenOpen is for waits: hundreds would ask in vain, and a successful one would keep out all other calls for
	// as long as its turn takes.
	skipWhenOpen policy = iota
	// probeWhenOpen is for calls that find out whether the cluster is back, one at a time.
	probeWhenOpen
	// always is for stops, which are sent even while the breaker is open.
	always
)

// breaker stops calls to a cluster that doesn't answer. Only silence opens it: any response of the app is an answer,
// also that it is full. A submit or [Client.Info] closes it again.
type breaker struct {
	steps      *gobreaker.TwoStepCircuitBreaker[struct{}]
	reason     atomic.Pointer[string] // why the last unanswered call wasn't answered
	silentFrom atomic.Int64           // time of the first unanswered call, in Unix nanoseconds; 0 after an answer
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

// unanswered reports whether a call got no answer. That includes a call whose caller ran out of time, since a submit's
// time is shorter than the client's own. A proxy that cuts a wait has answered.
func unanswered(err error) bool {
	if other, is := asStranger(err); is && other.status == http.StatusRequestTimeout {
		return false
	}
	ours, is := errors.AsType[*domain.Error](err)
	return is && ours.Kind == domain.KindUnreachable || errors.Is(err, context.DeadlineExceeded)
}

// admit decides whether a call is made; if not, refused says why. After the call, pass its error to done.
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
