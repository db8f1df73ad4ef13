// Package chaos puts faults to a running system and counts what they cost: wrong endings, calls of the model
// that nobody needed, answers that were paid for twice, lost events, turns that stay on Ray, and time.
//
// The words of this package:
//
//	experiment   one fault that meets at least twenty deliberations in flight; one line of the table
//	lab          where an experiment happens: its workers, its models and its deliberations
//	subject      one deliberation of an experiment, with the ending that it must have
//	in flight    accepted by Temporal, and not yet ended
//	release      a model holds every call until it is released, so that all subjects are in flight when
//	             the fault comes; then it streams its answers over up to eight seconds
//	fault's end  the moment from which the system must recover; the recovery is timed from here. For a
//	             process that dies for good it is the moment just before the death
//	recovery     from the fault's end to the end of the last subject
//	wait         a part of the recovery that is allowed, with its reason
//	allowance    what an experiment may cost, stated before it runs
//	limits       an allowance in numbers, once it is known how many turns the fault takes with it
//	cost         what the experiment did cost
//	needed       a call or an answer of the model that the experiment can't do without
//	doomed       a turn that dies with its runner, and whose outcome no worker had yet
//	soak         many deliberations at once for a long time, with faults by chance
//
// The seed decides everything that happens by chance: moments, victims, sizes and how long answers take.
// It decides for each experiment on its own, whatever else runs.
package chaos
