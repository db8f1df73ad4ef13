package raytest

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const prefix = "/deliberation"

// reply is an HTTP answer.
type reply struct {
	status     int
	body       any
	retryAfter int
}

func answer(status int, body any) reply { return reply{status: status, body: body} }

func refuse(status int, kind, message string) reply {
	return answer(status, map[string]any{"error": map[string]string{"type": kind, "message": message}})
}

func (r reply) after(seconds int) reply {
	r.retryAfter = seconds
	return r
}

func invalid(err error) reply {
	return refuse(http.StatusUnprocessableEntity, "invalid_request", err.Error())
}

func restarting() reply {
	return refuse(http.StatusServiceUnavailable, "runner_unavailable", runnerName+" does not answer").after(1)
}

// ofAnotherCluster refuses turns of another Ray cluster, which may still run them.
func ofAnotherCluster(mark string) reply {
	return answer(http.StatusServiceUnavailable, map[string]any{"error": map[string]string{
		"type": "runner_unavailable", "message": "the turns are of another Ray cluster, which may still run them", "ray_cluster": mark,
	}}).after(1)
}

func (r reply) writeTo(w http.ResponseWriter) {
	encoded, err := json.Marshal(r.body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(encoded) // an error means that the client has gone
}

// serve checks the token, and applies the faults that a test has switched on, before it handles the request.
func (a *App) serve(handle func(*http.Request) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		path := strings.TrimPrefix(request.URL.Path, prefix)
		a.mu.Lock()
		a.requests[path]++
		a.mu.Unlock()
		if a.isAway() {
			vanish(w)
			return
		}
		reply := a.authorised(request, handle)
		switch {
		case a.isAway():
			vanish(w)
		case a.loses(path):
			cutShort(w)
		default:
			reply.writeTo(w)
		}
	}
}

func (a *App) authorised(request *http.Request, handle func(*http.Request) reply) reply {
	given := request.Header.Get("Authorization")
	if subtle.ConstantTimeCompare([]byte(given), []byte("Bearer "+a.Token)) != 1 {
		return refuse(http.StatusUnauthorized, "unauthorized", "the bearer token is missing or wrong")
	}
	a.mu.Lock()
	busy := a.busy
	a.mu.Unlock()
	if busy {
		return restarting()
	}
	return handle(request)
}

func (a *App) isAway() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.away || a.closed
}

func (a *App) loses(path string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.losing[path] == 0 {
		return false
	}
	a.losing[path]--
	return true
}

// vanish ends the connection without an answer.
func vanish(w http.ResponseWriter) { hijack(w, "") }

// cutShort ends the connection after the beginning of a response: an HTTP client repeats a request by itself only
// while no response has begun.
func cutShort(w http.ResponseWriter) {
	hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"runner\":")
}

func hijack(w http.ResponseWriter, last string) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the connection is gone already
	}
	_, _ = io.WriteString(connection, last)
	_ = connection.Close()
}

// read decodes the body and checks it as the app does.
func read[Body interface{ check() error }](request *http.Request, body *Body) (refusal reply, ok bool) {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, request.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return refuse(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d bytes", maxBody)), false
	}
	if err == nil {
		err = json.Unmarshal(raw, body)
	}
	if err == nil {
		err = (*body).check()
	}
	if err != nil {
		return invalid(err), false
	}
	return reply{}, true
}

// allowed refuses link-local addresses, as the app does with any settings.
func allowed(vllmURL string) error {
	parsed, err := url.Parse(vllmURL)
	if err != nil {
		return err
	}
	address, err := netip.ParseAddr(parsed.Hostname())
	if err == nil && address.Unmap().IsLinkLocalUnicast() {
		return fmt.Errorf("address %s is link-local or cloud metadata", address)
	}
	return nil
}
