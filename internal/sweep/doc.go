// Package sweep ends work on Ray that nobody waits for any more: the work of runs that were terminated, timed
// out or deleted from outside. Without it such work ends by its own run_seconds. It also frees the places of
// outcomes whose run has ended without forgetting them; without it Ray keeps them for an hour and longer.
package sweep
