package main

import (
	"runtime/debug"

	"github.com/caarlos0/env/v11"
)

// gcPercent makes Go collect garbage twice as often as by default. A collection also makes stacks smaller, which are
// most of what thousands of waiting turns hold: see docs/adr/0010-where-the-time-goes.md.
const gcPercent = 50

// collectOften leaves the decision to GOGC if it is set.
func collectOften(environ []string) {
	if env.ToMap(environ)["GOGC"] == "" {
		debug.SetGCPercent(gcPercent)
	}
}
