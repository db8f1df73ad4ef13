// Package fleet watches the Ray clusters of a worker: which of them answer, since when, and how many more turns they
// take. Deliberations are placed by the latest state.
package fleet
