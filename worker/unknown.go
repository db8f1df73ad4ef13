package main

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/caarlos0/env/v11"
)

// ours begins the names that are for this project.
const ours = "DELIBERATION_"

// elsewhere are variables of the same prefix that other programs of this project read: one environment
// may be given to all of them. docs/configuration.md lists them; a test compares both.
var elsewhere = []string{
	"DELIBERATION_VLLM_URL", "DELIBERATION_VLLM_MODEL", "DELIBERATION_VLLM_KEYS", "DELIBERATION_RUNNERS",
	"DELIBERATION_RUNNER_CAPACITY", "DELIBERATION_RUNNER_CPUS", "DELIBERATION_GATEWAY_REPLICAS",
	"DELIBERATION_GATEWAY_CPUS", "DELIBERATION_GATEWAY_QUEUE", "DELIBERATION_GATEWAY_WAITS",
	"DELIBERATION_MAX_BODY_BYTES",
}

// unknown names the variables that nothing reads, and what each may have been meant for.
func unknown(variables map[string]string) []string {
	known := slices.Clone(elsewhere)
	params, err := env.GetFieldParams(&config{})
	if err == nil {
		for _, param := range params {
			known = append(known, param.Key)
		}
	}
	var warnings []string
	for name := range variables {
		if strings.HasPrefix(name, ours) && !slices.Contains(known, name) {
			warnings = append(warnings, name+": unknown variable"+suggestion(name, known))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// suggestion compares without the prefix, which NATS_URL doesn't have; what is too far off is none.
func suggestion(name string, known []string) string {
	distance := func(to string) int {
		return levenshtein.ComputeDistance(strings.TrimPrefix(to, ours), strings.TrimPrefix(name, ours))
	}
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(a) - distance(b) })
	if distance(nearest) > len(strings.TrimPrefix(name, ours))/3 {
		return ""
	}
	return "; did you mean " + nearest + "?"
}
