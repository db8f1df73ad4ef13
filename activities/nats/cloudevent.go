package nats

import (
	"encoding/json"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
)

const (
	source = "/deliberations"
	// contentType shows a receiver that the event is in structured form.
	contentType = "application/cloudevents+json; charset=utf-8"
)

// cloudEvent encodes news of a deliberation in CloudEvents' structured JSON.
func cloudEvent(id, kind, deliberation string, at time.Time, data json.RawMessage) ([]byte, error) {
	encoded := event.New()
	encoded.SetID(id)
	encoded.SetType("io.deliberation." + kind + ".v1")
	encoded.SetSource(source)
	encoded.SetSubject(deliberation)
	encoded.SetTime(at)
	if err := encoded.SetData(event.ApplicationJSON, data); err != nil {
		return nil, err
	}
	return encoded.MarshalJSON()
}
