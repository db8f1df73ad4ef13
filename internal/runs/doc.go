// Package runs reads deliberations from outside: it finds and lists runs, folds their histories into the state of each
// agent, and reads how they ended. It needs a worker only for the status of an open run.
//
// # Where to look
//
// reader.go finds a run, run.go has what Temporal itself knows about it, list.go lists many runs. timeline.go folds a
// history; ending.go reads its last event; view.go builds the status that people see. follow.go waits for a run's end.
package runs
