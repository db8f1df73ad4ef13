// Package waiting lets all turns that a worker awaits on one runner share one request at a time.
//
// Each turn keeps an activity of its own. A [Room] asks for many turns together and delivers to each turn its own
// report. If an answer doesn't name a turn, the turn gets no report: its activity then sends no heartbeat, so that
// Temporal tries it again on any worker.
package waiting
