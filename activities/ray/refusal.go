package ray

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"deliberation.io/deliberation/domain"
)

// Variables that a person must set when the app refuses the token, or when its URL leads elsewhere.
const (
	tokenVariable    = "DELIBERATION_RAY_TOKEN"
	clustersVariable = "DELIBERATION_RAY_CLUSTERS"
)

// longestRetryAfter bounds what a server may ask us to wait.
const longestRetryAfter = time.Minute

// kindOf maps the app's own error types. Any other type, even in a body of the same form, may be a proxy's and must
// not end a turn.
var kindOf = map[string]domain.ErrorKind{
	"full":               domain.KindFull,
	"runner_unavailable": domain.KindUnavailable,
	"overloaded":         domain.KindUnavailable,
	"unauthorized":       domain.KindDenied,
	"url_not_allowed":    domain.KindURL,
	"invalid_request":    domain.KindRejected,
	"too_large":          domain.KindRejected,
}

type errorAnswer struct {
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		// RayCluster names the cluster that answers, if the turns belong to another one.
		RayCluster string `json:"ray_cluster"`
	} `json:"error"`
}

// refusal returns the error for a response other than 200.
func (a answered) refusal(op string) error {
	var answer errorAnswer
	if err := json.Unmarshal(a.body, &answer); err != nil || answer.Error.Type == "" || a.status < 400 {
		return &domain.Error{Kind: domain.KindUnreachable, Op: op, Err: a.stranger()}
	}
	said := fmt.Sprintf("answered %d %s: %s", a.status, answer.Error.Type, answer.Error.Message)
	kind, known := kindOf[answer.Error.Type]
	if !known {
		return &domain.Error{Kind: domain.KindUnreachable, Op: op, Err: stranger{status: a.status, said: cutTo(said, maxRefusal)}}
	}
	refused := &domain.Error{Kind: kind, Op: op, Err: errors.New(cutTo(said, maxRefusal))}
	if answer.Error.RayCluster != "" {
		refused.Err = otherClusterError{said: refused.Err.Error()}
	}
	if kind == domain.KindDenied {
		refused.Err = fmt.Errorf("the Ray app refuses the token: set %[1]s or %[1]s_FILE to one of the app's", tokenVariable)
	}
	if kind == domain.KindFull || kind == domain.KindUnavailable {
		refused.RetryAfter = retryAfter(a.retryAfter, time.Now())
	}
	return refused
}

// retryAfter reads seconds or an HTTP date. It returns 0 if the text is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, longestRetryAfter.Seconds()) * float64(time.Second))
	}
	if date, err := http.ParseTime(text); err == nil {
		return min(max(0, date.Sub(now)), longestRetryAfter)
	}
	return 0
}

// stranger is the response of Serve itself, or of a proxy in front of the app. It says nothing about a turn.
type stranger struct {
	status int
	said   string
}

func (s stranger) Error() string {
	if advice := s.advice(); advice != "" {
		return s.said + ": " + advice
	}
	return s.said
}

// advice says what a person can change.
func (s stranger) advice() string {
	switch {
	case s.status >= 300 && s.status < 400:
		return "a proxy redirects; name the app's own URL in " + clustersVariable
	case s.status == http.StatusUnauthorized || s.status == http.StatusForbidden:
		return "a proxy before the app refuses us; let it pass requests with the app's own token"
	case s.refusesSize():
		return "a proxy before the app refuses the size; let it pass bodies of 8 MiB"
	case s.cutsWaits():
		return "a wait was cut; raise request_timeout_s of Serve, or the proxy's timeout, above 45 s"
	}
	return ""
}

// cutsWaits reports whether the server bounds the time of requests and has ended this one.
func (s stranger) cutsWaits() bool {
	return s.status == http.StatusRequestTimeout || s.status == http.StatusGatewayTimeout
}

// refusesSize reports whether the body is too large for the server. The same body will be too large the next time.
func (s stranger) refusesSize() bool { return s.status == http.StatusRequestEntityTooLarge }

// stranger describes the answer as one that isn't the app's.
func (a answered) stranger() stranger {
	return stranger{status: a.status, said: fmt.Sprintf("answered %d %s that isn't the Ray app's", a.status, a.mediaType)}
}

func asStranger(err error) (stranger, bool) { return errors.AsType[stranger](err) }
