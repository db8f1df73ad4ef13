// Package runs reads deliberations from outside: their histories, and how they ended. It needs no
// worker of theirs.
package runs
