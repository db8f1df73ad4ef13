package domain

// Saying is the next part of what a turn says, for watchers. It is best effort: nothing depends on it.
type Saying struct {
	DeliberationID string
	AgentID        string
	TurnID         TurnID
	Phase          string
	Round          int
	Attempt        int
	Kind           string // start, text or complete
	Sequence       int    // of the turn, from 1; a gap is text that was dropped
	Tokens         int    // so far
	Text           string
	State          string // of a turn that is complete
}
