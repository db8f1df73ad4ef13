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
	"DELIBERATION_RUNNER_CAPACITY", "DELIBERATION_MODEL_CONCURRENCY", "DELIBERATION_MODEL_WAITING",
	"DELIBERATION_RUNNER_CPUS", "DELIBERATION_GATEWAY_REPLICAS",
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
		hint := ""
		if strings.HasPrefix(name, ours) {
			hint = suggestion(name, known)
		} else if hint = nearMiss(name, known); hint == "" {
			continue
		}
		if !slices.Contains(known, name) {
			warnings = append(warnings, name+": unknown variable"+hint)
		}
	}
	slices.Sort(warnings)
	return warnings
}

// temporals are the variables that Temporal's own configuration reads.
var temporals = []string{
	"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE",
	"TEMPORAL_CLIENT_AUTHORITY", "TEMPORAL_TLS", "TEMPORAL_TLS_SERVER_NAME", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION",
	"TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_CERT_DATA", "TEMPORAL_TLS_CLIENT_KEY_PATH",
	"TEMPORAL_TLS_CLIENT_KEY_DATA", "TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
	"TEMPORAL_CODEC_ENDPOINT", "TEMPORAL_CODEC_AUTH",
}

// nearMiss suggests what a variable of Temporal or NATS may have been meant for. Their names aren't ours
// alone, so that one which is like none of those that are read is nothing to speak of.
func nearMiss(name string, known []string) string {
	for _, prefix := range []string{"TEMPORAL_", "NATS_"} {
		var candidates []string
		for _, candidate := range slices.Concat(known, temporals) {
			if strings.HasPrefix(candidate, prefix) {
				candidates = append(candidates, candidate)
			}
		}
		if strings.HasPrefix(name, prefix) && !slices.Contains(candidates, name) {
			return nearest(prefix, name, candidates)
		}
	}
	return ""
}

// suggestion compares without the prefix, which NATS_URL doesn't have; what is too far off is none.
func suggestion(name string, known []string) string { return nearest(ours, name, known) }

func nearest(prefix, name string, known []string) string {
	distance := func(to string) int {
		return levenshtein.ComputeDistance(strings.TrimPrefix(to, prefix), strings.TrimPrefix(name, prefix))
	}
	best := slices.MinFunc(known, func(a, b string) int { return distance(a) - distance(b) })
	if distance(best) > len(strings.TrimPrefix(name, prefix))/3 {
		return ""
	}
	return "; did you mean " + best + "?"
}
