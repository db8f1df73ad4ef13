package ray

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Config says where a Ray app is and how to talk to it.
type Config struct {
	Name  string // the cluster's name, in handles and messages
	URL   string // the app's route, for example http://127.0.0.1:8000/deliberation
	Token string // sent as bearer token unless empty
	Owner string // only this owner's turns are awaited, others are unknown; if empty, all turns

	// Changed, if set, is called when the breaker changes, with the reason why calls stayed unanswered.
	Changed func(from, to BreakerState, why string)

	// Heard, if set, gets the text of awaited turns while it comes, if the app doesn't publish it itself. It must
	// return at once.
	Heard func([]contract.Saying)
}

// Client talks to the Ray app of one cluster. It is safe for concurrent use.
type Client struct {
	name   string
	base   *url.URL
	token  string
	owner  string
	http   *http.Client
	within allowance
	heard  func([]contract.Saying)

	breaker     *breaker
	waits       waits
	persistence persistence
	sightings   sightings
}

// allowance says how long calls may take. A wait gets a margin: the app answers when the time is over, or says up to
// 10 s later that its runner doesn't answer.
type allowance struct {
	submit  time.Duration
	control time.Duration // an activity gives stop and forget 10 s
	probe   time.Duration
	margin  time.Duration
	refused time.Duration // how long a refused submit is tried again
	away    time.Duration // how long another Ray cluster may answer in this one's place before its turns are lost
}

var _ domain.RayCluster = (*Client)(nil)

// New checks the configuration; it does no I/O.
func New(config Config) (*Client, error) {
	base, err := parseBase(config.URL)
	switch {
	case config.Name == "":
		return nil, errors.New("ray cluster: the name cannot be empty")
	case err != nil:
		return nil, fmt.Errorf("ray cluster %s: %w", config.Name, err)
	case strings.ContainsFunc(config.Token, notInToken):
		// The header can't carry such a token, so every call would fail. The message doesn't quote it, since it is secret.
		return nil, fmt.Errorf("ray cluster %s: the token has characters other than printable ASCII without spaces", config.Name)
	}
	return &Client{
		name: config.Name, base: base, token: config.Token, owner: config.Owner, heard: config.Heard,
		http: &http.Client{
			Transport: newTransport(),
			// The app never redirects. Another server that does must not get the token.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		within: allowance{
			submit: 30 * time.Second, control: 9 * time.Second, probe: 5 * time.Second, margin: 12 * time.Second,
			refused: refusedFor, away: awayFor,
		},
		breaker: newBreaker(config.Name, config.Changed),
	}, nil
}

func notInToken(r rune) bool { return r <= ' ' || r > '~' }

func parseBase(text string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || base.Hostname() == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("the URL must be absolute, http or https")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the URL must not carry a user, query or fragment")
	}
	return base, nil
}

func (c *Client) Breaker() BreakerState { return BreakerState(c.breaker.steps.State()) }

func (c *Client) Submit(ctx context.Context, submission domain.Submission) (domain.Acceptance, error) {
	ask := call{
		op: "submit to " + c.name, method: http.MethodPost, path: "/v1/turns",
		body: submitBodyOf(submission), within: c.within.submit, limit: shortAnswer, as: probeWhenOpen,
	}
	var answer acceptanceAnswer
	if err := c.persistence.judge(submission, c.ask(ctx, ask, &answer), c.within.refused); err != nil {
		return domain.Acceptance{}, err
	}
	acceptance, err := answer.acceptance(c.name, submission.Asks)
	if err != nil {
		return domain.Acceptance{}, ask.unreadable(err)
	}
	return acceptance, nil
}

// Await waits for at most 30 s, even if a longer time is asked for: the caller asks again. If a proxy or Serve cuts the
// wait, Await asks again immediately, for a shorter time. It also asks again after an answer that has only text.
func (c *Client) Await(ctx context.Context, handles []domain.Handle, wait time.Duration) ([]domain.Observation, error) {
	for until := time.Now().Add(wait); ; wait = time.Until(until) {
		begun := time.Now()
		seen, err := c.await(ctx, handles, c.waits.bound(wait))
		if other, is := asStranger(err); is && other.cutsWaits() && wait > 0 && c.waits.cut(time.Since(begun)) {
			continue
		}
		if err == nil && len(seen) == 0 {
			if err = pause(ctx, leastText-time.Since(begun)); err == nil {
				continue
			}
		}
		return seen, c.silence(err)
	}
}

func (c *Client) await(ctx context.Context, handles []domain.Handle, wait time.Duration) ([]domain.Observation, error) {
	ask := call{
		op: "await on " + c.name, method: http.MethodPost, path: "/v1/turns/await",
		body: c.awaitBody(handles, wait), within: wait + c.within.margin, limit: waitAnswer,
	}
	var answer awaitAnswer
	err := c.ask(ctx, ask, &answer)
	switch {
	case c.sightings.gone(err, handles, c.within.away):
		return lost(handles), nil
	case err != nil:
		return nil, err
	}
	said := answer.sayings(handles)
	if len(said) > 0 && c.heard != nil {
		c.heard(said)
	}
	seen := c.observations(answer.those(handles))
	if len(seen) == 0 && (len(said) == 0 || wait == 0) {
		return nil, ask.unreadable(errors.New("answered 200 without any of the turns"))
	}
	return seen, nil
}

// silence returns the error of a wait, in words for people. A refused token says nothing about the turns: they were
// paid for, so the wait is tried again.
func (c *Client) silence(err error) error {
	failed, ours := errors.AsType[*domain.Error](passing(err))
	if !ours {
		return err
	}
	return &domain.Error{Kind: failed.Kind, Op: "await", Err: errors.New(c.reason(failed.Err.Error())), RetryAfter: failed.RetryAfter}
}

// observations maps the states. A state that can't be read doesn't hide the others.
func (c *Client) observations(states []stateAnswer) []domain.Observation {
	seen := make([]domain.Observation, 0, len(states))
	for _, state := range states {
		observation, err := state.observation()
		c.sightings.saw(observation.Incarnation)
		if err != nil {
			observation = domain.Observation{TurnID: state.ID, Unreachable: c.reason(err.Error())}
		}
		seen = append(seen, observation)
	}
	return seen
}

// reason returns a short text for people that begins with the cluster's name.
func (c *Client) reason(text string) string { return cut(c.name + ": " + text) }

const (
	// longestWait is the app's own bound.
	longestWait = 30 * time.Second
	// shortestWait keeps waits from becoming a flood of requests.
	shortestWait = time.Second
	// cutFor is how long waits stay short after one was cut.
	cutFor = 10 * time.Minute
)

// waits bounds how long the app is asked to wait. Serve's request_timeout_s, or a proxy's timeout, may end every
// request after a few seconds. Then waits are kept shorter than that.
type waits struct {
	mu      sync.Mutex
	longest time.Duration
	until   time.Time
}

// bound shortens a wait to the longest that is possible now.
func (w *waits) bound(wait time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.longest > 0 && time.Now().Before(w.until) {
		return min(max(0, wait), w.longest)
	}
	return min(max(0, wait), longestWait)
}

// cut records that a request was cut after this time. It reports whether shorter waits may help.
func (w *waits) cut(after time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest, w.until = max(shortestWait, after*2/3), time.Now().Add(cutFor)
	return after > shortestWait
}
