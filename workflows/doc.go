// Package workflows holds three stories: how a deliberation runs, how its events are kept until NATS takes
// them, and how the statistics are counted.
//
// All of it is workflow code, which must do the same in a replay: it reads no clock, random source,
// environment or configuration. The Opening records the settings that a run depends on. The package imports no
// adapter. What travels between processes is in package contract.
//
// # Find your way
//
//   - deliberation.go is the story of a run: open, deliberate phase by phase, stop the rest, conclude.
//   - opening.go reads the request and the configuration, once.
//   - phase.go submits the turns of a phase together; pursue.go tries one assignment until it is settled.
//   - clock.go owns the deadline, patience.go the wait for slow turns; stop_now.go answers the update by which
//     a client ends the wait.
//   - stop.go ends what still runs on Ray; conclude.go ranks and ends the run.
//   - placement.go knows on which cluster the council is, and what it left on others.
//   - announce.go says what is published when; events.go publishes it in order; outbox.go keeps what NATS
//     didn't take.
//   - show.go and queries.go are for people: no control flow reads what they show.
//   - steps.go lists the activities with their queues, timeouts and retries.
//   - stats.go keeps the statistics.
package workflows
