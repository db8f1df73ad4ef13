// Package evidence compares ways to answer tasks with a known answer, on any model server with the OpenAI
// protocol: one agent alone, a vote of independent agents, and a council that reviews. `make evidence` runs it.
package evidence
