package raytest

import (
	"maps"
	"net/http"
	"time"

	"deliberation.io/deliberation/domain"
)

// said is what a turn says to watchers. The scripted model says all of its text at its end.
type said struct {
	about    map[string]any
	sequence int
	waiting  []map[string]any // messages that no wait has taken
}

func saidBy(spec turnRequest, in submitRequest) said {
	s := said{about: map[string]any{
		"deliberation_id": in.Deliberation, "agent_id": spec.AgentID, "submission_id": spec.ID,
		"phase": spec.Phase, "round": spec.Round, "attempt": spec.Attempt,
	}}
	s.add(map[string]any{"kind": "start", "tokens": 0, "text": ""})
	return s
}

func (s *said) add(message map[string]any) {
	s.sequence++
	message["sequence"] = s.sequence
	maps.Copy(message, s.about)
	s.waiting = append(s.waiting, message)
}

func (s *said) end(t *turn) {
	tokens := 0
	if t.state == domain.RayCompleted {
		tokens = t.answer.Usage.CompletionTokens
		s.add(map[string]any{"kind": "text", "tokens": tokens, "text": t.answer.Text})
	}
	s.add(map[string]any{"kind": "complete", "tokens": tokens, "text": "", "state": t.state})
}

// listening ticks as often as the caller wants text. It never does for one that wants none.
func (r awaitRequest) listening() (ticks <-chan time.Time, stop func()) {
	if r.TextSeconds <= 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(seconds(max(r.TextSeconds, 0.1)))
	return ticker.C, ticker.Stop
}

func (a *App) anySaid(in awaitRequest) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range in.Turns {
		if held, found := a.find(id, in.Owner); found && len(held.said.waiting) > 0 {
			return true
		}
	}
	return false
}

// withTexts is an answer about turns, with what turns said if the caller wants that.
func (a *App) withTexts(in awaitRequest, views []map[string]any) reply {
	came := bounded(views)
	if in.TextSeconds <= 0 {
		return came
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	texts := []map[string]any{}
	for _, id := range in.Turns {
		if held, found := a.find(id, in.Owner); found {
			texts = append(texts, held.said.waiting...)
			held.said.waiting = nil
		}
	}
	body, _ := came.body.(map[string]any)
	body["texts"] = texts
	return answer(http.StatusOK, body)
}
