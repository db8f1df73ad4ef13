package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"deliberation.io/deliberation/internal/suggest"
)

// variablesOf returns the environment variable of each field of a configuration. Field names are unique in it.
func variablesOf(configuration reflect.Type) map[string]string {
	variables := map[string]string{}
	for field := range configuration.Fields() {
		variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		switch {
		case variable != "":
			variables[field.Name] = variable
		case field.IsExported() && field.Type.Kind() == reflect.Struct:
			maps.Copy(variables, variablesOf(field.Type))
		}
	}
	return variables
}

// ours is the prefix of this project's variables.
const ours = "DELIBERATION_"

// others lists the variables with this prefix that other programs of the project read, since all programs may get the
// same environment. docs/configuration.md lists them too, and a test compares both.
var others = []string{
	"DELIBERATION_VLLM_URL", "DELIBERATION_VLLM_MODEL", "DELIBERATION_VLLM_KEYS", "DELIBERATION_RUNNERS",
	"DELIBERATION_STREAM_NATS_URL", "DELIBERATION_STREAM_NATS_CREDS", "DELIBERATION_STREAM_NATS_CREDS_FILE", "DELIBERATION_STREAM_NATS_CA_FILE",
	"DELIBERATION_RUNNER_CAPACITY", "DELIBERATION_RUNNER_MEMORY_BYTES", "DELIBERATION_MODEL_CONCURRENCY", "DELIBERATION_MODEL_WAITING",
	"DELIBERATION_MODEL_SILENCE_SECONDS", "DELIBERATION_MODEL_FIRST_TOKEN_SHARE",
	"DELIBERATION_RUNNER_OPTIONS", "DELIBERATION_RAY_OPEN", "DELIBERATION_VLLM_KEYS_FILE", "DELIBERATION_VLLM_REFUSE_OWN", "DELIBERATION_GATEWAY_REPLICAS",
	"DELIBERATION_GATEWAY_CPUS", "DELIBERATION_GATEWAY_QUEUE", "DELIBERATION_GATEWAY_WAITS",
	"DELIBERATION_MAX_BODY_BYTES",
}

// unknown returns a warning for each variable with our prefix that nothing reads. The worker reads those in known.
func unknown(values map[string]string, known []string) []string {
	known = slices.Concat(known, others)
	slices.Sort(known) // if two names are equally near, the same one is suggested each time
	var warnings []string
	for name := range values {
		if strings.HasPrefix(name, ours) && !slices.Contains(known, name) {
			warnings = append(warnings, name+": unknown variable"+suggest.For(name, ours, known))
		}
	}
	slices.Sort(warnings)
	return warnings
}
