// Package raytest is a stand-in for the Ray app, in Go and in memory, with a scripted model: for tests
// that need no Ray.
//
// It keeps the app's contract: the same id attaches, a submission is accepted or refused as a whole, a stopped or
// forgotten turn leaves a tombstone, a restarted runner has another incarnation and no turns, and a wait ends with the
// first turn that ends. The contract test of package ray runs over both.
//
// It is simpler in two things: it has one runner, and its tombstones never expire.
package raytest
