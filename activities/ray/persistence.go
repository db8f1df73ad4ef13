package ray

import (
	"errors"
	"sync"
	"time"

	"deliberation.io/deliberation/domain"
)

const (
	// refusedFor is how long a submit must be refused before it fails: a token that is being replaced,
	// or a proxy that is being repaired, is no reason to end a deliberation.
	refusedFor = time.Minute
	// refusedPause is the pause between two tries meanwhile.
	refusedPause = 5 * time.Second
	// refusedKept is how long a submission that nobody submits any more is remembered.
	refusedKept = time.Hour
)

// persistence decides when a refusal that may pass has lasted too long. It counts for each submission.
type persistence struct {
	mu    sync.Mutex
	since map[submissionKey]time.Time
}

type submissionKey struct{ owner, deliberation string }

// judge makes a submit's error fatal once the same refusal has lasted for limit, and retryable until then.
func (p *persistence) judge(submission domain.Submission, err error, limit time.Duration) error {
	key := submissionKey{submission.Owner, submission.Deliberation}
	failed, ours := errors.AsType[*domain.Error](err)
	final, mayPass := lastingKind(err)
	switch {
	case !mayPass:
		if err == nil || ours && failed.Kind != domain.KindUnreachable { // the app has answered
			p.forget(key)
		}
		return err
	case p.lasted(key) < limit:
		return passing(err)
	}
	p.forget(key)
	return &domain.Error{Kind: final, Op: failed.Op, Err: failed.Err}
}

// lastingKind is the kind of the error once it has lasted too long; false for an error that is fatal at once,
// or never.
func lastingKind(err error) (domain.ErrorKind, bool) {
	if failed, ours := errors.AsType[*domain.Error](err); ours && failed.Kind == domain.KindDenied {
		return domain.KindDenied, true
	}
	if other, is := asStranger(err); is && other.refusesSize() {
		return domain.KindRejected, true
	}
	return "", false
}

// passing makes a refusal that may pass retryable. What was paid for never ends by one.
func passing(err error) error {
	failed, ours := errors.AsType[*domain.Error](err)
	if _, mayPass := lastingKind(err); !ours || !mayPass {
		return err
	}
	kind := failed.Kind
	if kind == domain.KindDenied {
		kind = domain.KindUnavailable
	}
	return &domain.Error{Kind: kind, Op: failed.Op, Err: failed.Err, RetryAfter: refusedPause}
}

// lasted is how long the submission has been refused.
func (p *persistence) lasted(key submissionKey) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for other, since := range p.since {
		if now.Sub(since) > refusedKept {
			delete(p.since, other)
		}
	}
	if p.since == nil {
		p.since = map[submissionKey]time.Time{}
	}
	if _, known := p.since[key]; !known {
		p.since[key] = now
	}
	return now.Sub(p.since[key])
}

func (p *persistence) forget(key submissionKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.since, key)
}
