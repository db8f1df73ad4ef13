package raytest

import (
	"fmt"
	"net/http"
	"time"

	"deliberation.io/deliberation/domain"
)

// turn is guarded by its app's lock.
type turn struct {
	id           domain.TurnID
	owner        string
	deliberation string
	agentID      string
	model        string
	labels       map[string]string
	prompt       string
	accepted     time.Time
	keep         time.Duration
	state        domain.RayState
	answer       Answer
	failure      Answer // of a failed or cancelled turn
	aborted      chan struct{}
	timers       []*time.Timer
	putOffSince  time.Time // zero unless the model server puts the call off
	said         said
}

// putOffFor is the pause before a server that puts calls off is asked again.
const putOffFor = 300 * time.Millisecond

func (t *turn) ended() bool { return t.state != domain.RayQueued && t.state != domain.RayRunning }

// abort closes the model call without any outcome.
func (t *turn) abort() {
	if !t.ended() {
		t.state = domain.RayUnknown
		close(t.aborted)
	}
	for _, timer := range t.timers {
		timer.Stop()
	}
}

// begin accepts the turn and calls the model. It needs the lock.
func (a *App) begin(spec turnRequest, in submitRequest) {
	t := &turn{
		id: spec.ID, owner: in.Owner, deliberation: in.Deliberation, agentID: spec.AgentID, model: spec.Model,
		labels: in.Labels, prompt: spec.prompt(in.Common), accepted: time.Now(),
		keep: seconds(spec.KeepSeconds), state: domain.RayRunning,
		aborted: make(chan struct{}), said: saidBy(spec, in),
	}
	a.turns[t.id] = t
	a.ask(t)
	timeout := Failure(domain.ModelTimeout, "no complete answer in time").filled(t.agentID)
	t.timers = append(t.timers, time.AfterFunc(seconds(spec.RunSeconds), func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.end(t, domain.RayFailed, timeout)
	}))
	go a.call(t)
}

func (a *App) call(t *turn) {
	for t.answer.PutOff {
		if !a.waitOut(t) {
			return
		}
	}
	if t.answer.After != nil {
		select {
		case <-t.answer.After:
		case <-t.aborted:
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.answer.Failure != "" {
		a.end(t, domain.RayFailed, t.answer)
	} else {
		a.end(t, domain.RayCompleted, Answer{})
	}
}

// waitOut waits until the server is asked again, and reports whether the turn still runs.
func (a *App) waitOut(t *turn) bool {
	select {
	case <-time.After(putOffFor):
	case <-t.aborted:
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.ended() {
		return false
	}
	a.ask(t)
	return true
}

// ask calls the model. It needs the lock.
func (a *App) ask(t *turn) {
	t.answer = a.next(t.agentID, t.model)
	a.calls[t.id]++
	switch {
	case !t.answer.PutOff:
		t.putOffSince = time.Time{}
	case t.putOffSince.IsZero():
		t.putOffSince = time.Now()
	}
}

// end gives the turn its outcome, once, and keeps it for its time. It needs the lock.
func (a *App) end(t *turn, state domain.RayState, failure Answer) {
	if t.ended() {
		return
	}
	if !t.putOffSince.IsZero() {
		state, failure = domain.RayFailed, t.answer // the outcome is the server's last refusal
		failure.Usage, t.putOffSince = domain.Usage{}, time.Time{}
	}
	t.state, t.failure = state, failure
	t.said.end(t)
	close(t.aborted)
	t.timers = append(t.timers, time.AfterFunc(t.keep, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.turns[t.id] == t {
			delete(a.turns, t.id)
		}
	}))
	a.announce()
}

// cancel aborts the turn's model call, if it still runs. It needs the lock.
func (a *App) cancel(t *turn, reason string) {
	if reason == "" {
		reason = "stopped"
	}
	stopped := Failure(domain.Cancelled, reason)
	stopped.Usage = domain.Usage{PromptTokens: 20, CompletionTokens: 3, Calls: 1}
	a.end(t, domain.RayCancelled, stopped)
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func (t *turn) view() map[string]any {
	view := absent(t.id, t.state)
	view["error"] = nil
	view["started_at"] = t.accepted.UTC().Format(time.RFC3339Nano)
	if !t.putOffSince.IsZero() {
		view["waiting"] = map[string]any{
			"reason": fmt.Sprintf("model %s puts calls off: %s", t.model, t.answer.Message), "status": http.StatusServiceUnavailable,
			"since": t.putOffSince.UTC(), "next_try": time.Now().Add(putOffFor).UTC(),
		}
	}
	switch t.state {
	case domain.RayCompleted:
		view["progress"] = map[string]int{"tokens": t.answer.Usage.CompletionTokens, "characters": len(t.answer.Text)}
		view["result"] = map[string]any{
			"text": t.answer.Text, "reasoning_text": "", "finish_reason": t.answer.FinishReason, "model": t.model,
			"usage": usage(t.answer.Usage), "calls": t.answer.Usage.Calls, "duration_ms": 12, "first_token_ms": 3,
			"response_format": "json_schema",
		}
	case domain.RayFailed, domain.RayCancelled:
		view["error"] = failure(t.failure)
	case domain.RayQueued, domain.RayRunning, domain.RayUnknown:
	}
	return view
}

// absent returns the view of a turn that the runner doesn't hold.
func absent(id domain.TurnID, state domain.RayState) map[string]any {
	view := map[string]any{
		"submission_id": id, "state": state, "started_at": nil, "result": nil, "error": nil,
		"progress": map[string]int{"tokens": 0, "characters": 0}, "waiting": nil,
	}
	if state == domain.RayCancelled {
		view["error"] = failure(Failure(domain.Cancelled, "stopped or forgotten"))
	}
	return view
}

func failure(f Answer) map[string]any {
	return map[string]any{
		"type": f.Failure, "message": f.Message, "retryable": retryable(f.Failure),
		"calls": f.Usage.Calls, "usage": usage(f.Usage), "duration_ms": 12,
	}
}

func usage(u domain.Usage) map[string]int {
	return map[string]int{"prompt_tokens": u.PromptTokens, "completion_tokens": u.CompletionTokens}
}
