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
	// leastText keeps an app from being flooded that answers sooner than it was asked to.
	leastText = 100 * time.Millisecond
)

// awaitAnswer has turns, or only text.
type awaitAnswer struct {
	statesAnswer
	Texts json.RawMessage `json:"texts"` // read apart: text that can't be read must hide no turn
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

// sayings are those of the handles' turns.
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
