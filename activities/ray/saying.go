package ray

import (
	"encoding/json"
	"time"

	"deliberation.io/deliberation/domain"
)

const (
	// textEvery is how often text is asked for. Each time is one request for all turns on a runner, and a person
	// reads text that comes twice a second.
	textEvery = 500 * time.Millisecond
	// leastText is the shortest time between requests: an app that answers too early is not flooded.
	leastText = 100 * time.Millisecond
)

// awaitAnswer has turns, or only text.
type awaitAnswer struct {
	statesAnswer
	Texts json.RawMessage `json:"texts"` // decoded separately: unreadable text must not hide turns
}

// sayingAnswer has the fields of a [domain.Saying].
type sayingAnswer struct {
	DeliberationID string        `json:"deliberation_id"`
	AgentID        string        `json:"agent_id"`
	TurnID         domain.TurnID `json:"submission_id"`
	Phase          string        `json:"phase"`
	Round          int           `json:"round"`
	Attempt        int           `json:"attempt"`
	Kind           string        `json:"kind"`
	Sequence       int           `json:"sequence"`
	Tokens         int           `json:"tokens"`
	Text           string        `json:"text"`
	State          string        `json:"state"`
}

// sayings returns the messages of the handles' turns.
func (a awaitAnswer) sayings(handles []domain.Handle) []domain.Saying {
	var texts []sayingAnswer
	if len(a.Texts) == 0 || json.Unmarshal(a.Texts, &texts) != nil {
		return nil
	}
	asked := askedFor(handles)
	var said []domain.Saying
	for _, text := range texts {
		if asked[text.TurnID] {
			said = append(said, domain.Saying(text))
		}
	}
	return said
}
