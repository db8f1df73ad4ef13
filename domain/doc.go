// Package domain holds what a deliberation is and every decision about it that needs no I/O.
//
// It imports nothing but the standard library, knows no JSON, and reads no clock, random source or
// environment: the same values give the same decisions, in a workflow, in its replay and in a test.
// Values are immutable: constructors check every rule and report all faults at once, slices and maps
// are cloned on the way in and out, and a method that changes something returns the changed copy.
//
// # Vocabulary
//
// A [DeliberationRequest] puts a task to a [Council] of agents ([AgentConfig]). A [Turn] is one model
// call of one agent for one purpose, the unit of work on Ray; its [TurnID] is derived from what it
// does, so the same id is the same work. An [Observation] is what Ray was seen to say about a turn,
// and [Judge] turns it into a [Verdict]. An [Outcome] is what a turn came to.
//
// # Life of a turn
//
//	          submit            model call begins          answer
//	(derived) ------> accepted ------------------> running ------> succeeded
//	    |                                             |
//	    | no room, Ray away                           +----> failed       again, up to max_retries
//	    +--> queued, asks again                       +----> lost         again, up to 3 times
//	                                                  +----> unreachable  asked again, never failed
package domain
