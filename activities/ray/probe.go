package ray

import (
	"context"
	"errors"
	"net/http"
	"time"
)

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
