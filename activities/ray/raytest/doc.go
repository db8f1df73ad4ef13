// Package raytest is a stand-in for the Ray app, in Go and in memory, with a scripted model: for tests
// that need no Ray.
//
// It keeps the app's contract: the same id attaches, a submission is taken whole or refused whole, what
// is stopped or forgotten leaves a tombstone, a restarted runner has another incarnation and no turns,
// and waits end with the first turn that does. The contract test of package ray runs over both.
//
// What it does more simply: one runner, and tombstones that never expire.
package raytest
