package nats

import (
	"encoding/json"

	"github.com/cloudevents/sdk-go/v2/event"

	"deliberation.io/deliberation/domain"
)

const (
	source = "/deliberations"
	// contentType shows a receiver that the event is in structured form.
	contentType = "application/cloudevents+json; charset=utf-8"
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
