package ray

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"deliberation.io/deliberation/domain"
)

// Info describes the app.
type Info struct {
	APIVersion int      `json:"api_version"`
	Build      string   `json:"build"`
	RayVersion string   `json:"ray_version"`
	Runners    []Runner `json:"runners"`
	InFlight   int      `json:"in_flight"`
	Capacity   int      `json:"capacity"`
	OpenWaits  int      `json:"open_waits"`
}

// Runner is one of the app's runners. Incarnation is empty while it doesn't answer.
type Runner struct {
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
	InFlight    int    `json:"in_flight"`
	Kept        int    `json:"kept"`
	Capacity    int    `json:"capacity"`
	Draining    bool   `json:"draining"`
}

// Inventory lists the turns of the runners that answered. Unheard names the other runners, which may hold more turns.
type Inventory struct {
	Turns   []HeldTurn
	Unheard []string
}

// LabelRun is the label with the original run id of a turn's deliberation.
const LabelRun = "run"

// HeldTurn is a turn that a runner holds: it runs, or its outcome is kept.
type HeldTurn struct {
	TurnID       domain.TurnID     `json:"submission_id"`
	Deliberation string            `json:"deliberation"`
	AgentID      string            `json:"agent_id"`
	Labels       map[string]string `json:"labels"`
	State        domain.RayState   `json:"state"`
	Runner       string            `json:"runner"`
	Incarnation  string            `json:"incarnation"`
	AcceptedAt   time.Time         `json:"accepted_at"`
	AgeSeconds   float64           `json:"age_seconds"`
}

// Info asks the app about itself. The error is the context's or a [*domain.Error].
func (c *Client) Info(ctx context.Context) (Info, error) {
	ask := call{op: "ask " + c.name, method: http.MethodGet, path: "/v1/info", within: c.within.probe, limit: shortAnswer, as: probeWhenOpen}
	var info Info
	if err := c.ask(ctx, ask, &info); err != nil {
		return Info{}, err
	}
	if info.APIVersion == 0 {
		return Info{}, ask.unreadable(errors.New("answered 200 without an api_version"))
	}
	return info, nil
}

// Turns lists what the runners hold for the owner. The error is the context's or a [*domain.Error].
func (c *Client) Turns(ctx context.Context, owner string) (Inventory, error) {
	ask := call{
		op: "list turns on " + c.name, method: http.MethodGet, path: "/v1/turns",
		query: url.Values{"owner": {owner}}.Encode(), within: c.within.control, limit: longAnswer, as: always,
	}
	var answer struct {
		Turns   *[]HeldTurn `json:"turns"`
		Unheard []string    `json:"unheard"`
	}
	if err := c.ask(ctx, ask, &answer); err != nil {
		return Inventory{}, err
	}
	if answer.Turns == nil {
		return Inventory{}, ask.unreadable(errors.New("answered 200 without turns"))
	}
	return Inventory{Turns: *answer.Turns, Unheard: answer.Unheard}, nil
}

func (t HeldTurn) Handle(cluster string) domain.Handle {
	return domain.Handle{TurnID: t.TurnID, Cluster: cluster, Runner: t.Runner, Incarnation: t.Incarnation}
}

// probeWithin is a little longer than the app's own bound of 10 s.
const probeWithin = 12 * time.Second

// Probe says what a runner found out about a model.
type Probe struct {
	Runner string   `json:"runner"`
	Lists  bool     `json:"models"` // the server lists the model
	Listed []string `json:"listed"` // some of the models that the server lists
	Call   struct {
		OK      bool   `json:"ok"`
		MS      int    `json:"ms"`
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"call"`
}

// Probe makes a runner call a model for one token. The error is the context's or a [*domain.Error].
func (c *Client) Probe(ctx context.Context, vllmURL, model string) (Probe, error) {
	ask := call{
		op: "probe a model on " + c.name, method: http.MethodPost, path: "/v1/probe",
		body: map[string]string{"vllm_url": vllmURL, "model": model}, within: probeWithin, limit: shortAnswer, as: always,
	}
	var seen Probe
	if err := c.ask(ctx, ask, &seen); err != nil {
		return Probe{}, err
	}
	if seen.Runner == "" {
		return Probe{}, ask.unreadable(errors.New("answered 200 without a runner"))
	}
	return seen, nil
}
