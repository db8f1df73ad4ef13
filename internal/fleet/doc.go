// Package fleet watches the Ray clusters of a worker: which of them answer, since when, and how many more
// turns they take. A deliberation is placed by what was seen last.
package fleet
