// Package sweep ends work on Ray that nobody waits for any more: the work of runs that were terminated, timed out or
// deleted. Otherwise such work would run until its run_seconds are over. It also frees the places of outcomes whose run
// ended without forgetting them. Otherwise Ray would keep them for an hour and longer.
package sweep
