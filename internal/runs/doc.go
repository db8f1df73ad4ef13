// Package runs reads deliberations from outside: it finds and lists runs, folds their histories into
// what happened to each agent, and reads how they ended. It needs no worker, except for the status of
// a run that is still open.
//
// # Where to look
//
// reader.go finds a run, run.go says what Temporal itself knows of it, list.go asks visibility for many.
// timeline.go folds a history; ending.go reads its last event; view.go puts everything together into
// the status that people see. follow.go waits for a run's end.
package runs
