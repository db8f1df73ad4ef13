package nats

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"deliberation.io/deliberation/domain"
)

const (
	source = "/deliberations"
	// contentType is how a receiver tells a structured event from a binary one.
	contentType = "application/cloudevents+json; charset=utf-8"
	// largeMember is what a member of an event's data may have at most when the whole is too large.
	largeMember = 1 << 10
)

// cloudEvent encodes an event in CloudEvents' structured JSON.
func cloudEvent(e domain.Event) ([]byte, error) {
	encoded := event.New()
	encoded.SetID(e.ID)
	encoded.SetType("io.deliberation." + string(e.Kind) + ".v1")
	encoded.SetSource(source)
	encoded.SetSubject(e.DeliberationID)
	encoded.SetTime(e.At)
	if err := encoded.SetData(event.ApplicationJSON, json.RawMessage(e.Data)); err != nil {
		return nil, err
	}
	return encoded.MarshalJSON()
}

// resultRef is where the whole story is: the workflow run of that name.
type resultRef struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
}

// reduced leaves out what is large in an event's data and names it in `omitted`; the rest stays as it
// is, so that consumers find a score where they look for it. The id stays the same: it is the same event.
func reduced(e domain.Event) (domain.Event, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &members); err != nil {
		return e, err
	}
	omitted := []string{}
	for name, member := range members {
		if len(member) > largeMember {
			omitted = append(omitted, name)
			delete(members, name)
		}
	}
	slices.Sort(omitted)
	var err error
	if members["omitted"], err = json.Marshal(omitted); err != nil {
		return e, err
	}
	if members["result_ref"], err = json.Marshal(resultRefOf(e)); err != nil {
		return e, err
	}
	e.Data, err = json.Marshal(members)
	return e, err
}

// resultRefOf reads the run from the event's id, see [domain.EventID].
func resultRefOf(e domain.Event) resultRef {
	rest, _ := strings.CutPrefix(e.ID, e.DeliberationID+"/")
	run, _, _ := strings.Cut(rest, "/")
	return resultRef{WorkflowID: e.DeliberationID, RunID: run}
}
