// Package ray is the HTTP client of the Ray app: [Client] implements [domain.RayCluster].
//
// Only an answer of the app's own form speaks for it: JSON with an error.type of its list, or a 200
// that holds what was asked for. Everything else (Serve's own 404 and plain-text 500, a proxy's page, a
// cut or silent connection) means that nobody answered, and is never a verdict on a turn.
//
// Every call may be repeated, because a turn's id stands for the same work. The package doesn't retry by
// itself, but for a wait that a server before the app has cut. It keeps connections, and what it has
// learned of the cluster: whether it answers, how long its waits may be, how long a submit has been
// refused, and whether another Ray cluster answers in its place.
package ray
