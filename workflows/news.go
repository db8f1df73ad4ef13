package workflows

import (
	"encoding/json"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// news publishes a run's events in order, off the critical path: nothing waits for it but the end,
// and that for two seconds. A nil news publishes nothing.
type news struct {
	deliberationID string
	runID          string
	description    string
	numbered       int
	unsent         []newsItem
	stop           workflow.CancelFunc
}

// newsItem is an event that waits to be stored.
type newsItem struct {
	record contract.EventRecord
	data   any
}

// briefer is data that has a shorter form, for when everything together is too large.
type briefer interface{ Brief() any }

const (
	// batchBytes bounds the events of one activity input, well under the limit of a payload.
	batchBytes = 1 << 20
	// outboxBytes bounds what is left to the outbox: a larger payload would end the run without its result.
	outboxBytes = 1_900_000
)

// startNews starts the publisher, which outlives a cancellation: the news of it must go out too.
func startNews(ctx workflow.Context, d *deliberation) *news {
	if !d.opening.Events {
		return nil
	}
	n := &news{deliberationID: d.key.WorkflowID, runID: d.runID, description: d.request.TaskDescription()}
	publishing, stop := workflow.NewDisconnectedContext(ctx)
	n.stop = stop
	workflow.Go(publishing, n.publish)
	return n
}

// tell queues an event.
func (n *news) tell(ctx workflow.Context, kind domain.EventKind, agentID string, data any) {
	if n == nil {
		return
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		workflow.GetLogger(ctx).Error("event not encoded", "event", string(kind), "error", err)
		return
	}
	n.numbered++
	n.unsent = append(n.unsent, newsItem{data: data, record: contract.EventRecord{
		ID: domain.EventID(n.deliberationID, n.runID, n.numbered, kind), Kind: kind,
		DeliberationID: n.deliberationID, AgentID: agentID, At: workflow.Now(ctx).UTC(), Data: encoded,
	}})
}

func (n *news) publish(ctx workflow.Context) {
	for {
		if workflow.Await(ctx, func() bool { return len(n.unsent) > 0 }) != nil {
			return
		}
		in := nextBatch(records(n.unsent), n.description)
		title := "publish · " + domain.Count(len(in.Events), "event")
		if _, err := PublishEvents.call(ctx, outboxFor, title, in).get(ctx); err != nil {
			if !temporal.IsCanceledError(err) {
				workflow.GetLogger(ctx).Warn("events left to the outbox", "error", err)
			}
			return
		}
		n.unsent = n.unsent[len(in.Events):]
	}
}

// finish gives the last events two seconds; what is left then goes to the outbox, whole and in order.
func (n *news) finish(ctx workflow.Context) {
	if n == nil {
		return
	}
	wait := workflow.AwaitOptions{Timeout: newsWithin, TimerOptions: workflow.TimerOptions{Summary: "last events"}}
	stored, err := workflow.AwaitWithOptions(ctx, wait, func() bool { return len(n.unsent) == 0 })
	if err == nil && stored {
		n.stop()
		return
	}
	n.stop()
	left := contract.OutboxInput{Events: n.left()}
	if len(left.Events) == 0 {
		return
	}
	workflow.GetMetricsHandler(ctx).Counter(MetricDeferredEvents).Inc(int64(len(left.Events)))
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:        contract.OutboxID(n.deliberationID, n.recordedRun(ctx)),
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     "events of " + n.deliberationID,
	}), contract.DeliberationOutboxName, left)
	// Awaited until started: an abandoned child that hasn't started when its parent closes never does.
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("outbox not started; events are lost", "error", err)
	}
}

// recordedRun is the run id that history records: a reset replays it under another run id, and must
// find the child that was started.
func (n *news) recordedRun(ctx workflow.Context) string {
	recorded := n.runID
	if err := workflow.SideEffect(ctx, func(workflow.Context) any { return n.runID }).Get(&recorded); err != nil {
		workflow.GetLogger(ctx).Error("run id not recorded", "error", err)
	}
	return recorded
}

// left are the events that must not be dropped, in order. Where they are too large together the last
// ones give up their texts first: the result has them.
func (n *news) left() []contract.EventRecord {
	items := slices.DeleteFunc(n.unsent, func(item newsItem) bool { return item.record.Kind.BestEffort() })
	size := 0
	for _, item := range items {
		size += item.record.Size()
	}
	for i := range slices.Backward(items) {
		item := &items[i]
		data, shortens := item.data.(briefer)
		if size <= outboxBytes || !shortens {
			continue
		}
		if encoded, err := json.Marshal(data.Brief()); err == nil {
			size += len(encoded) - len(item.record.Data)
			item.record.Data = encoded
		}
	}
	return records(items)
}

func records(items []newsItem) []contract.EventRecord {
	events := make([]contract.EventRecord, 0, len(items))
	for _, item := range items {
		events = append(events, item.record)
	}
	return events
}

func nextBatch(events []contract.EventRecord, description string) contract.PublishEventsInput {
	in := contract.PublishEventsInput{}
	size := 0
	for _, event := range events {
		size += event.Size()
		if size > batchBytes && len(in.Events) > 0 {
			break
		}
		in.Events = append(in.Events, event)
		if event.Kind == domain.EventStreamStart {
			in.TaskDescription = description
		}
	}
	return in
}
