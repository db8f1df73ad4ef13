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
	Sequence       int    // counts the turn's messages from 1; a gap means that text was dropped
	Tokens         int    // of the turn so far
	Text           string
	State          string // of a complete turn
}
