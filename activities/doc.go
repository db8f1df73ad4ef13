// Package activities is what the workflows' steps do: each file one activity, against the ports of the
// domain. The adapters are below, named after their technology: ray (the HTTP client of the Ray app) and
// nats (JetStream).
//
// An activity's error is mapped to Temporal's in one place, [bind], as the outermost value: the server
// looks at no other level when it decides whether to retry.
package activities
