// Package workflows holds the stories: how a deliberation runs, how its events are kept until NATS
// takes them, how the statistics are counted; and what travels: the JSON payloads with their one
// mapping to the domain, the names, and [Start].
//
// It reads no clock, random source, environment or configuration: what a story needs to know of its
// surroundings is recorded once, by its Opening. It imports no adapter.
//
// # Find your way
//
// deliberation.go is the story. pursue.go is one agent's part of it, conclude.go its end. steps.go lists
// the activities with their queues, timeouts and retries; opening.go is the only place that reads
// configuration. request.go and the files named …_payload.go are the wire format.
package workflows
