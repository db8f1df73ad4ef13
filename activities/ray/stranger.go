package ray

import (
	"errors"
	"fmt"
	"net/http"
)

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
