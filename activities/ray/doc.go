// Package ray is the HTTP client of the Ray app: [Client] implements [domain.RayCluster].
//
// Only an answer in the app's own form counts as the app's: JSON with an error.type of its list, or a 200 with
// what was asked for. Everything else (Serve's own 404 and plain-text 500, a proxy's page, a cut or silent
// connection) counts as no answer, and never as a verdict on a turn.
//
// Every call may be repeated, because a turn's id stands for the same work. The package itself repeats only a wait that
// a proxy or Serve has cut. It keeps connections, and what it has learned about the cluster: whether it answers, how
// long its waits may be, how long a submit has been refused, and whether another Ray cluster answers in its place.
package ray
