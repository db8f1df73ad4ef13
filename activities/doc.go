// Package activities has the code of the workflows' steps. Each activity has a file and uses the ports of the domain.
// The packages below are adapters named after their technology: ray (the HTTP client of the Ray app) and nats
// (JetStream).
//
// [bind] is the only place that maps an activity's error to Temporal's, as the outermost value: the server looks at no
// other level when it decides whether to retry.
package activities
