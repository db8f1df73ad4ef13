package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"unicode/utf8"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
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
	record EventRecord
	data   any
}

// briefer is data that has a shorter form, for when everything together is too large.
type briefer interface{ brief() any }

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
	n.unsent = append(n.unsent, newsItem{data: data, record: EventRecord{
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
	left := OutboxInput{Events: n.left()}
	if len(left.Events) == 0 {
		return
	}
	workflow.GetMetricsHandler(ctx).Counter(MetricDeferredEvents).Inc(int64(len(left.Events)))
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:        n.outbox(ctx),
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     "events of " + n.deliberationID,
	}), DeliberationOutboxName, left)
	// Awaited until started: an abandoned child that hasn't started when its parent closes never does.
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("outbox not started; events are lost", "error", err)
	}
}

// outbox is the id of the run's outbox.
func (n *news) outbox(ctx workflow.Context) string {
	run := n.recordedRun(ctx)
	id, before := outboxID(n.deliberationID, run), outboxIDBefore(n.deliberationID, run)
	if id != before && workflow.GetVersion(ctx, versionShortOutbox, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return before
	}
	return id
}

// recordedRun is the id of the run that history records: a reset replays it under an id of its own, and
// must find the child that was started.
func (n *news) recordedRun(ctx workflow.Context) string {
	if workflow.GetVersion(ctx, "outbox-run", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return n.runID
	}
	recorded := n.runID
	if err := workflow.SideEffect(ctx, func(workflow.Context) any { return n.runID }).Get(&recorded); err != nil {
		workflow.GetLogger(ctx).Error("run id not recorded", "error", err)
	}
	return recorded
}

// left are the events that must not be dropped, in order. Where they are too large together the last
// ones give up their texts first: the result has them.
func (n *news) left() []EventRecord {
	items := slices.DeleteFunc(n.unsent, func(item newsItem) bool { return item.record.Kind.BestEffort() })
	size := 0
	for _, item := range items {
		size += item.record.size()
	}
	for i := range slices.Backward(items) {
		item := &items[i]
		data, shortens := item.data.(briefer)
		if size <= outboxBytes || !shortens {
			continue
		}
		if encoded, err := json.Marshal(data.brief()); err == nil {
			size += len(encoded) - len(item.record.Data)
			item.record.Data = encoded
		}
	}
	return records(items)
}

func records(items []newsItem) []EventRecord {
	events := make([]EventRecord, 0, len(items))
	for _, item := range items {
		events = append(events, item.record)
	}
	return events
}

// outboxID is text whatever it cuts. What is cut leaves a hash, so that no two are alike.
func outboxID(deliberationID, runID string) string {
	const idMost = 255 // what SQL databases of servers have room for, however long an id their server takes
	suffix := "/outbox/" + runID
	if len(deliberationID)+len(suffix) <= idMost {
		return deliberationID + suffix
	}
	hash := sha256.Sum256([]byte(deliberationID))
	suffix = "~" + hex.EncodeToString(hash[:8]) + suffix
	return cutText(deliberationID, idMost-len(suffix)) + suffix
}

// outboxIDBefore is the id of outboxes that were started before [versionShortOutbox].
func outboxIDBefore(deliberationID, runID string) string {
	const idMost = 1000
	suffix := "/outbox/" + runID
	return cutText(deliberationID, idMost-len(suffix)) + suffix
}

// cutText never cuts a character in two.
func cutText(text string, most int) string {
	end := min(len(text), most)
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func nextBatch(events []EventRecord, description string) PublishEventsInput {
	in := PublishEventsInput{}
	size := 0
	for _, event := range events {
		size += event.size()
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
