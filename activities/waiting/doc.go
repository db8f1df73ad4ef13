// Package waiting lets all turns that a worker awaits on one runner share one request at a time.
//
// Each turn keeps an activity of its own. A [Room] asks for many turns together and hands each what was said of it.
// Turns that nobody named hear nothing: an activity whose turn was overlooked gets no news, sends no heartbeat, and is
// tried again elsewhere.
package waiting
