package raytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
)

func (a *App) submit(request *http.Request) reply {
	var in submitRequest
	if refusal, ok := read(request, &in); !ok {
		return refusal
	}
	for i, turn := range in.Turns {
		if err := allowed(turn.VLLMURL); err != nil {
			return refuse(http.StatusForbidden, "url_not_allowed", fmt.Sprintf("turns[%d].vllm_url: %s", i, err))
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var fresh []turnRequest
	statuses := make([]map[string]any, 0, len(in.Turns))
	for _, turn := range in.Turns {
		status := a.statusOf(turn.ID, in.Owner)
		if status == "accepted" {
			fresh = append(fresh, turn)
		}
		statuses = append(statuses, map[string]any{"submission_id": turn.ID, "status": status})
	}
	if a.full && len(fresh) > 0 && !a.begun(in) {
		return refuse(http.StatusTooManyRequests, "full", "the runner is full").after(2)
	}
	for _, turn := range fresh {
		a.begin(turn, in)
	}
	return answer(http.StatusOK, map[string]any{
		"runner": runnerName, "incarnation": a.incarnation(), "turns": statuses,
		"accepted_at": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// begun reports whether turns of the deliberation are held. It needs the lock.
func (a *App) begun(in submitRequest) bool {
	for _, turn := range a.turns {
		if turn.owner == in.Owner && turn.deliberation == in.Deliberation {
			return true
		}
	}
	return false
}

// statusOf needs the lock.
func (a *App) statusOf(id domain.TurnID, owner string) string {
	if a.buried[tombstone{owner, id}] {
		return "cancelled"
	}
	if _, held := a.turns[id]; !held {
		return "accepted"
	}
	if _, theirs := a.find(id, owner); theirs {
		return "attached"
	}
	return "unknown"
}

// find returns the turn if it belongs to the owner. Without an owner, it finds every turn. It needs the lock.
func (a *App) find(id domain.TurnID, owner string) (*turn, bool) {
	held, found := a.turns[id]
	if !found || owner != "" && owner != held.owner {
		return nil, false
	}
	return held, true
}

// isBuried needs the lock.
func (a *App) isBuried(id domain.TurnID, owner string) bool {
	if owner != "" {
		return a.buried[tombstone{owner, id}]
	}
	for stone := range a.buried {
		if stone.id == id {
			return true
		}
	}
	return false
}

func (a *App) await(request *http.Request) reply {
	var in awaitRequest
	if refusal, ok := read(request, &in); !ok {
		return refusal
	}
	timer := time.NewTimer(seconds(min(in.WaitSeconds, longestWait)))
	defer timer.Stop()
	listen, stopListening := in.listening()
	defer stopListening()
	a.mu.Lock()
	restarts := a.restarts
	a.mu.Unlock()
	for over := in.WaitSeconds == 0; ; {
		a.mu.Lock()
		all, ended := a.look(in.handles(), in.Owner)
		elsewhere, mark := a.elsewhere(in.handles()[0]), a.mark()
		broken, changed := a.busy || a.closed || a.restarts != restarts, a.changed
		away := a.away
		a.mu.Unlock()
		switch {
		case broken || away:
			return restarting()
		case elsewhere:
			return ofAnotherCluster(mark)
		case over:
			return a.withTexts(in, all)
		case len(ended) > 0:
			return a.withTexts(in, ended)
		}
		select {
		case <-changed:
		case <-listen:
			if a.anySaid(in) {
				return a.withTexts(in, nil)
			}
		case <-timer.C:
			over = true
		case <-request.Context().Done():
			over = true
		}
	}
}

// look returns the states of all turns, and those of the turns that have ended. It needs the lock.
func (a *App) look(handles []handle, owner string) (all, ended []map[string]any) {
	for _, handle := range handles {
		view := a.viewOf(handle, owner)
		all = append(all, view)
		if state := view["state"]; state != domain.RayQueued && state != domain.RayRunning {
			ended = append(ended, view)
		}
	}
	return all, ended
}

// viewOf needs the lock. An empty runner means this one: there is no other.
func (a *App) viewOf(handle handle, owner string) map[string]any {
	if handle.Runner != "" && handle.Runner != runnerName {
		view := absent(handle.ID, domain.RayUnknown)
		view["incarnation"] = ""
		return view
	}
	view := absent(handle.ID, domain.RayUnknown)
	if held, found := a.find(handle.ID, owner); found {
		view = held.view()
	} else if a.isBuried(handle.ID, owner) {
		view = absent(handle.ID, domain.RayCancelled)
	}
	view["incarnation"] = a.incarnation()
	return view
}

func (a *App) stop(request *http.Request) reply {
	return a.ending(request, func(in endRequest) reply { return bounded(a.endAll(in)) })
}

// ending reads a request that ends turns, and answers it with the lock held.
func (a *App) ending(request *http.Request, with func(endRequest) reply) reply {
	var in endRequest
	if refusal, ok := read(request, &in); !ok {
		return refusal
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.ContainsFunc(in.Turns, a.elsewhere) {
		return ofAnotherCluster(a.mark())
	}
	return with(in)
}

// bounded leaves out turns that would make the response too long, and names them.
func bounded(views []map[string]any) reply {
	turns, left := []map[string]any{}, []any{}
	used := 0
	for _, view := range views {
		if result, completed := view["result"].(map[string]any); completed {
			text, _ := result["text"].(string)
			used += jsonBytes(text)
			if used > maxAnswers && len(turns) > 0 {
				left = append(left, view["submission_id"])
				continue
			}
		}
		turns = append(turns, view)
	}
	return answer(http.StatusOK, map[string]any{"turns": turns, "left": left, "texts": []any{}})
}

// jsonBytes returns the length of the text in JSON without HTML escapes.
func jsonBytes(text string) int {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string can always be encoded
	}
	return encoded.Len()
}

// endAll stops and buries the turns. It needs the lock.
func (a *App) endAll(in endRequest) []map[string]any {
	views := make([]map[string]any, 0, len(in.Turns))
	for _, handle := range in.Turns {
		if held, found := a.find(handle.ID, in.Owner); found {
			a.cancel(held, in.Reason)
		}
		views = append(views, a.viewOf(handle, in.Owner)) // before the tombstone: it must not change this answer
		a.buried[tombstone{in.Owner, handle.ID}] = true
	}
	return views
}

func (a *App) forget(request *http.Request) reply { return a.ending(request, a.forgetAll) }

// forgetAll ends the turns and drops their outcomes. It needs the lock.
func (a *App) forgetAll(in endRequest) reply {
	states := make([]map[string]any, 0, len(in.Turns))
	for _, view := range a.endAll(in) {
		states = append(states, map[string]any{
			"submission_id": view["submission_id"], "state": view["state"], "incarnation": view["incarnation"],
		})
	}
	for _, handle := range in.Turns {
		if _, found := a.find(handle.ID, in.Owner); found {
			delete(a.turns, handle.ID)
		}
	}
	return answer(http.StatusOK, map[string]any{"turns": states})
}

func (a *App) list(request *http.Request) reply {
	owner := request.URL.Query().Get("owner")
	if owner == "" {
		return invalid(errors.New("owner: cannot be empty"))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	listed := []map[string]any{}
	for _, turn := range a.turns {
		if turn.owner == owner {
			listed = append(listed, map[string]any{
				"submission_id": turn.id, "deliberation": turn.deliberation, "agent_id": turn.agentID,
				"labels": turn.labels, "state": turn.state, "runner": runnerName, "incarnation": a.incarnation(),
				"accepted_at": turn.accepted.UTC().Format(time.RFC3339Nano), "age_seconds": time.Since(turn.accepted).Seconds(),
			})
		}
	}
	return answer(http.StatusOK, map[string]any{"turns": listed})
}

func (a *App) info(*http.Request) reply {
	open := a.OpenCalls()
	a.mu.Lock()
	defer a.mu.Unlock()
	const capacity = 5000
	return answer(http.StatusOK, map[string]any{
		"api_version": 1, "build": "fa4e", "ray_version": "none", "in_flight": open, "capacity": capacity, "open_waits": 0,
		"runners": []map[string]any{{
			"name": runnerName, "incarnation": a.incarnation(), "in_flight": open, "kept": len(a.turns) - open,
			"capacity": capacity, "draining": false,
		}},
	})
}
