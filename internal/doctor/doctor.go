// Package doctor checks what deliberations need: Temporal, the namespace, the workers, the search attributes,
// the Ray apps, NATS and the model server. It changes nothing.
package doctor

import (
	"context"
	"fmt"
	"iter"
	"time"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/internal/runs"
)

// within bounds each check of something that may not answer.
const within = 5 * time.Second

// Settings say what to check. A check without its setting is skipped.
type Settings struct {
	RayClusters  string `env:"DELIBERATION_RAY_CLUSTERS"`
	RayToken     string `env:"DELIBERATION_RAY_TOKEN"`
	RayTokenFile string `env:"DELIBERATION_RAY_TOKEN_FILE"`
	NATS         nats.Config

	TaskQueue string
	VLLMURL   string
	Model     string

	// Temporal connects to the server at TemporalAddress.
	Temporal        func(context.Context) (runs.Reader, error)
	TemporalAddress string
}

// Result is the outcome of a check.
type Result string

// Results.
const (
	OK      Result = "ok"
	Failed  Result = "fail"
	Skipped Result = "skip"
)

// Finding is what a check saw, and what repairs it.
type Finding struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Seen   string `json:"seen"`
	Repair string `json:"repair,omitempty"`
}

func ok(name, seen string, args ...any) Finding {
	return Finding{Name: name, Result: OK, Seen: fmt.Sprintf(seen, args...)}
}

func skipped(name, seen string, args ...any) Finding {
	return Finding{Name: name, Result: Skipped, Seen: fmt.Sprintf(seen, args...)}
}

func failed(name, repair, seen string, args ...any) Finding {
	return Finding{Name: name, Result: Failed, Seen: fmt.Sprintf(seen, args...), Repair: repair}
}

// Examine checks one thing after the other, until the context ends.
func Examine(ctx context.Context, s Settings) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		show := func(findings []Finding) (wanted bool) {
			for _, finding := range findings {
				if ctx.Err() != nil || !yield(finding) {
					return false
				}
			}
			return true
		}
		if !show(s.checkTemporal(ctx)) {
			return
		}
		ray, answered := s.checkRay(ctx)
		_ = show(ray) && show(s.checkNATS(ctx)) && show(s.checkModel(ctx, answered))
	}
}
