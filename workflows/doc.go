// Package workflows holds the stories: how a deliberation runs, how its events are kept until NATS takes
// them, and how the statistics are counted.
//
// All of it is workflow code. It reads no clock, random source, environment or configuration: what a
// story needs to know of its surroundings is recorded once, by its Opening. It imports no adapter. What
// travels between processes is in package contract.
//
// # Find your way
//
// deliberation.go is the story. steps.go lists the activities with their queues, timeouts and retries;
// opening.go is the only place that reads configuration.
package workflows
