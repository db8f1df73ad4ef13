// Package domain holds what a deliberation is, and every decision about it that needs no I/O.
//
// It imports only the standard library, knows no JSON, and reads no clock, random source or environment:
// the same values give the same decisions, in a workflow, in its replay and in a test. Values are
// immutable: constructors check every rule and report all faults at once, slices and maps are cloned on
// the way in and out, and a method that changes something returns the changed copy.
//
// # Glossary
//
//   - deliberation: one task put to one council, and one run of the workflow. Its deliberation id is the
//     workflow id. [DeliberationRequest] is what is asked, [CouncilResult] what came out.
//   - council: the agents of one deliberation, and the ledger of what was asked of each ([Council]).
//   - agent: one member of a council: an id, a role, a model, perhaps a persona ([AgentConfig]).
//   - phase: one step of a deliberation, in which all turns have the same purpose ([Phase]): agents propose,
//     review the proposals of others, or revise their own, or the chair writes the final answer.
//   - assignment: what a phase asks of one agent ([Assignment]). It is open until it is settled: completed
//     or given up.
//   - turn: one model call of one agent for one assignment, the unit of work on Ray ([Turn]). Its id is
//     derived from what it does: the same [TurnID] is the same work.
//   - attempt: one try of an assignment, counted from 1. Each attempt is a turn of its own.
//   - handle: where a turn lives on Ray: cluster, runner, and the runner's incarnation ([Handle]).
//   - observation: what one look at a turn on Ray showed ([Observation]).
//   - outcome: the result of a turn, good or bad ([Outcome]). [Judge] gives the verdict on an observation: an
//     outcome whose answer isn't read yet.
//   - lost: an outcome. The turn's runner is known to be gone, and its answer with it.
//   - unreachable: an outcome. The turn's cluster gives no answer; the turn may still run there.
//   - decision: what the council wants done after an outcome ([Decision]).
//   - cluster: one Ray cluster, by name ([ClusterState]).
//   - event: news about a deliberation, on NATS ([Event]).
//
// Three words for what goes wrong:
//
//   - [Error]: an operation of a port didn't succeed. Its kind says whether the caller tries again.
//   - Failure ([TurnFailure], [AgentFailure]): why a turn, an agent or a deliberation has no result. It is
//     a value, which travels in histories and results.
//   - [Fault]: one broken rule at one place of a request. All [Faults] of a request are reported together.
//
// # Life of an assignment
//
//	         submit             the model call begins
//	waiting ---------> queued ----------------------> running ---> completed
//	  |                                                  |
//	  | no room, or Ray away                             +-------> failed       next attempt, up to max_retries
//	  +---> submitted again                              +-------> lost         next attempt, up to 3 times
//	                                                     +-------> unreachable  asked again; never a failure
//
// # Find your way
//
//   - plan.go plans what the council does next; take.go decides what follows from an outcome; rank.go orders
//     the proposals, of which standing.go knows the versions that count.
//   - Each kind of phase has a file of its own with its prompt and the form of its answer: propose.go,
//     reviewing.go, revising.go, synthesizing.go. ask.go puts together what a turn asks. given.go has proposals that
//     exist already.
//   - voting.go counts answers; budget.go reserves model calls and tokens, forecast.go says how many there are at most.
//   - answer.go reads a proposal and review.go a review; reply.go finds the object in what a model wrote.
//     outcome.go judges what Ray says of a turn.
//   - placement.go chooses among clusters. ports.go lists what the domain needs of the outside world.
package domain
