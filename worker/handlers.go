package main

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"go.temporal.io/sdk/client"
)

// handlersKept bounds the handlers that are remembered. Their tags are names of workflows, activities, queues and
// operations, of which there are a few hundred.
const handlersKept = 10_000

// handlers gives the same handler of metrics for the same tags. The Temporal SDK asks for one with every activity and
// every call, and an activity keeps its own as long as it runs. A new one each time would be a tenth of the heap while
// thousands of turns wait.
type handlers struct {
	client.MetricsHandler

	tags string
	made *made
}

// made has the handlers that were made for a registry.
type made struct {
	mu     sync.RWMutex
	byTags map[string]client.MetricsHandler
}

func newHandlers(base client.MetricsHandler) client.MetricsHandler {
	return handlers{MetricsHandler: base, made: &made{byTags: map[string]client.MetricsHandler{}}}
}

// Unwrap returns the handler underneath: the SDK looks for it.
func (h handlers) Unwrap() client.MetricsHandler { return h.MetricsHandler }

// WithTags returns the handler that has these tags too.
func (h handlers) WithTags(tags map[string]string) client.MetricsHandler {
	if len(tags) == 0 {
		return h
	}
	key := h.tags + textOf(tags)
	h.made.mu.RLock()
	known, found := h.made.byTags[key]
	h.made.mu.RUnlock()
	if found {
		return known
	}
	tagged := handlers{MetricsHandler: h.MetricsHandler.WithTags(tags), tags: key, made: h.made}
	h.made.mu.Lock()
	defer h.made.mu.Unlock()
	if len(h.made.byTags) < handlersKept {
		h.made.byTags[key] = tagged
	}
	return tagged
}

// textOf returns the same text for the same tags. A zero byte ends each name and each value.
func textOf(tags map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		text.WriteString(name)
		text.WriteByte(0)
		text.WriteString(tags[name])
		text.WriteByte(0)
	}
	return text.String()
}
