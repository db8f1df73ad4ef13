package ray

import (
	"encoding/json"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
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

// sayings returns the messages of the handles' turns.
func (a awaitAnswer) sayings(handles []domain.Handle) []contract.Saying {
	var said []contract.Saying
	if len(a.Texts) == 0 || json.Unmarshal(a.Texts, &said) != nil {
		return nil
	}
	asked := askedFor(handles)
	return slices.DeleteFunc(said, func(text contract.Saying) bool { return !asked[text.TurnID] })
}
