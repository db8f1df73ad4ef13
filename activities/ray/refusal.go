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
