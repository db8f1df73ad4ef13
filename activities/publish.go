package activities

import (
	"context"
	"encoding/json"
	"errors"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

// publishEvents stores events in order. A repetition publishes all of them again, under the same ids.
func (s set) publishEvents(ctx context.Context, in workflows.PublishEventsInput) (workflows.PublishEventsResult, error) {
	if s.Publisher == nil {
		return workflows.PublishEventsResult{}, &domain.Error{
			Kind: domain.KindPublish, Op: "publish", Err: errors.New("this worker has no NATS_URL"),
		}
	}
	events := make([]domain.Event, 0, len(in.Events))
	for _, record := range in.Events {
		data, err := eventData(record, in.TaskDescription)
		if err != nil {
			return workflows.PublishEventsResult{}, err
		}
		events = append(events, domain.Event{
			ID: record.ID, Kind: record.Kind, DeliberationID: record.DeliberationID,
			AgentID: record.AgentID, At: record.At, Data: data,
		})
	}
	if err := s.Publisher.Publish(ctx, events); err != nil {
		return workflows.PublishEventsResult{}, err
	}
	return workflows.PublishEventsResult{Stored: len(events)}, nil
}

// eventData puts the task's description back into the events that show it: it travels once a batch.
func eventData(record workflows.EventRecord, description string) ([]byte, error) {
	if record.Kind != domain.EventStreamStart {
		return record.Data, nil
	}
	var data workflows.StreamStartEvent
	if err := json.Unmarshal(record.Data, &data); err != nil {
		return nil, err
	}
	data.TaskDescription = description
	return json.Marshal(data)
}
