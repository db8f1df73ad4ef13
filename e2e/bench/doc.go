// Package bench measures what deliberations cost and how fast they are, next to the plain ways to do the same: a
// workflow of activities that do nothing, a Ray job for each agent, and a request to a plain Ray Serve app.
// `make bench` runs it against a stack of its own and writes docs/performance.md.
//
// Each file has the rows of one family. A row's base is what it is compared with, in the same run.
package bench
