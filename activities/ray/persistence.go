package ray

import (
	"errors"
	"sync"
	"time"

	"deliberation.io/deliberation/domain"
)

const (
	// refusedFor is how long a submit must be refused before it fails: a deliberation must not end because a token
	// is being replaced, or a proxy is being repaired.
	refusedFor = time.Minute
	// refusedPause is the pause between tries while a submit is refused.
	refusedPause = 5 * time.Second
	// refusedKept is how long the first refusal of a submission is remembered if the submission isn't repeated.
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

// lastingKind returns the kind that the error gets when it has lasted too long. It returns false if the error is fatal
// immediately, or never.
func lastingKind(err error) (domain.ErrorKind, bool) {
	if failed, ours := errors.AsType[*domain.Error](err); ours && failed.Kind == domain.KindDenied {
		return domain.KindDenied, true
	}
	if other, is := asStranger(err); is && other.refusesSize() {
		return domain.KindRejected, true
	}
	return "", false
}

// passing makes a refusal that may pass retryable. Turns that run were paid for, so such a refusal never ends them.
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

// lasted returns how long the submission has been refused.
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
