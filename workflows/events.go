package workflows

import (
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// eventQueue publishes a run's events in order. Only the run's end waits for it. A nil queue publishes
// nothing.
type eventQueue struct {
	run         run
	description string
	number      int
	unsent      []contract.EventRecord
	beginning   []contract.EventRecord // events of a phase that Ray hasn't accepted yet
	carried     int                    // how many of the unsent events the last submit carries
	gate        gate
	busy        bool // an activity is publishing
	stop        workflow.CancelFunc
}

// gate says whether the publisher publishes the events that come.
type gate int

const (
	gateShut   gate = iota // Ray hasn't accepted the first phase
	gateOpen               // during a phase
	gateHeld               // the end of a phase: events wait for those of the next phase
	gateClosed             // the end of the run
)

const (
	// batchBytes bounds the events of one activity input, well under the limit of a payload.
	batchBytes = 1 << 20
	// carriedBytes bounds the events of a submit, whose input also has the brief.
	carriedBytes = 100_000
	// lastBytes bounds the events of the closing step and of the outbox: a payload that is too large would end
	// the run without its result.
	lastBytes = 1_500_000
)

// startEvents starts the publisher. A cancellation doesn't stop it, since the cancellation is published too.
func startEvents(ctx workflow.Context, d *deliberation) *eventQueue {
	if !d.opening.Events {
		return nil
	}
	q := &eventQueue{run: d.run, description: d.request().TaskDescription()}
	publishing, stop := workflow.NewDisconnectedContext(ctx)
	q.stop = stop
	workflow.Go(publishing, q.work)
	return q
}

// publish queues an event.
func (q *eventQueue) publish(ctx workflow.Context, kind domain.EventKind, data any) {
	if q != nil {
		q.unsent = append(q.unsent, q.record(ctx, kind, "", data)...)
	}
}

// begin queues an event for when Ray accepts the phase. Only a stream has an agent in its subject.
func (q *eventQueue) begin(ctx workflow.Context, kind domain.EventKind, agentID string, data any) {
	if q != nil {
		q.beginning = append(q.beginning, q.record(ctx, kind, agentID, data)...)
	}
}

// record numbers an event. It returns none if the data can't be encoded.
func (q *eventQueue) record(ctx workflow.Context, kind domain.EventKind, agentID string, data any) []contract.EventRecord {
	event, err := contract.EventRecord{
		ID: domain.EventID(q.run.key.WorkflowID, q.run.id, q.number+1, kind), Kind: kind,
		DeliberationID: q.run.key.WorkflowID, AgentID: agentID, At: workflow.Now(ctx).UTC(),
	}.WithData(data)
	if err != nil {
		workflow.GetLogger(ctx).Error("event not encoded", "event", string(kind), "error", err)
		return nil
	}
	q.number++
	return []contract.EventRecord{event}
}

// carry returns the events that a submit publishes once Ray has accepted its turns: those that wait, and those of the
// phase's beginning. It returns none if the publisher could be at work, since these events would overtake its own.
func (q *eventQueue) carry() []contract.EventRecord {
	if q == nil || q.gate == gateOpen || q.busy {
		return nil
	}
	q.carried = len(q.unsent)
	events := slices.Concat(q.unsent, q.beginning)
	if sizeOf(events) > carriedBytes {
		return nil
	}
	return events
}

// begun is called when Ray has accepted the phase. The submit may have published what it carried.
func (q *eventQueue) begun(ctx workflow.Context, published bool) {
	if q == nil {
		return
	}
	if published {
		q.unsent, q.beginning = q.unsent[q.carried:], nil
	}
	q.take(ctx, q.beginning)
	q.gate = gateOpen
}

// refused is called when the phase ends without Ray's acceptance: its streams aren't announced.
func (q *eventQueue) refused(ctx workflow.Context) {
	if q != nil {
		q.take(ctx, slices.DeleteFunc(q.beginning, func(e contract.EventRecord) bool { return e.Kind.BestEffort() }))
	}
}

// take queues the events of a phase's beginning, which happens now.
func (q *eventQueue) take(ctx workflow.Context, beginning []contract.EventRecord) {
	for _, event := range beginning {
		event.At = workflow.Now(ctx).UTC()
		q.unsent = append(q.unsent, event)
	}
	q.beginning = nil
}

// hold makes the last events of a phase wait, so that they go out together with the first ones of the next phase.
func (q *eventQueue) hold() {
	if q != nil && q.gate == gateOpen {
		q.gate = gateHeld
	}
}

// release publishes the events that hold made wait.
func (q *eventQueue) release() {
	if q != nil && q.gate == gateHeld {
		q.gate = gateOpen
	}
}

// waits reports whether hold makes any event wait.
func (q *eventQueue) waits() bool { return q != nil && q.gate == gateHeld && len(q.unsent) > 0 }

// work publishes one batch after the other. Events that come meanwhile go into the next batch.
func (q *eventQueue) work(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return q.gate == gateOpen && len(q.unsent) > 0 }) == nil {
		in := nextBatch(q.unsent, q.description)
		title := "publish · " + domain.Count(len(in.Events), "event")
		q.busy = true
		_, err := PublishEvents.call(ctx, outboxFor, title, in).get(ctx)
		q.busy = false
		if err != nil {
			if !temporal.IsCanceledError(err) {
				workflow.GetLogger(ctx).Warn("events left to the outbox", "error", err)
			}
			return
		}
		q.stored(len(in.Events))
	}
}

// close ends the publisher and returns the events that the closing step may publish. It waits for a batch that is
// being published. If that takes too long, it returns no events, and the outbox gets all of them, in order.
func (q *eventQueue) close(ctx workflow.Context) []contract.EventRecord {
	if q == nil {
		return nil
	}
	q.gate = gateClosed
	defer q.stop()
	if q.busy { // else a timer would add events to the history
		wait := workflow.AwaitOptions{Timeout: CloseTries, TimerOptions: workflow.TimerOptions{Summary: "last events"}}
		if idle, err := workflow.AwaitWithOptions(ctx, wait, func() bool { return !q.busy }); err != nil || !idle {
			return nil
		}
	}
	q.unsent = q.remaining(ctx, true)
	return q.unsent
}

func (q *eventQueue) stored(n int) {
	if q != nil {
		q.unsent = q.unsent[min(n, len(q.unsent)):]
	}
}

// leave starts the outbox, a workflow of its own, with the events that aren't stored.
func (q *eventQueue) leave(ctx workflow.Context) {
	if q == nil {
		return
	}
	left := contract.OutboxInput{Events: q.remaining(ctx, false)}
	if len(left.Events) == 0 {
		return
	}
	workflow.GetMetricsHandler(ctx).Counter(MetricDeferredEvents).Inc(int64(len(left.Events)))
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:        contract.OutboxID(q.run.key.WorkflowID, q.recordedRun(ctx)),
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     contract.OneLine("events of " + q.run.key.WorkflowID),
	}), contract.DeliberationOutboxName, left)
	// Wait until the outbox has started: an abandoned child that hasn't started when its parent closes never
	// starts.
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("outbox not started; events are lost", "error", err)
	}
}

// recordedRun returns the run id from history. After a reset the run has another id, and must find the
// outbox that was started under the recorded one.
func (q *eventQueue) recordedRun(ctx workflow.Context) string {
	recorded := q.run.id
	if err := workflow.SideEffect(ctx, func(workflow.Context) any { return q.run.id }).Get(&recorded); err != nil {
		workflow.GetLogger(ctx).Error("run id not recorded", "error", err)
	}
	return recorded
}

// remaining returns the events that aren't stored, in order. If they are too large together, it removes their long
// texts, from the last event on. The result has those texts. A very long workflow id is in every event several times, so
// even short events may be too large. Then it keeps the first ones and the last one, since a lost event costs less than
// the run's result.
func (q *eventQueue) remaining(ctx workflow.Context, bestEffort bool) []contract.EventRecord {
	events := slices.DeleteFunc(slices.Clone(q.unsent), func(e contract.EventRecord) bool { return !bestEffort && e.Kind.BestEffort() })
	size := sizeOf(events)
	for i, event := range slices.Backward(events) {
		if size <= lastBytes {
			break
		}
		events[i] = event.ShortForm()
		size += events[i].Size() - event.Size()
	}
	kept := len(events)
	for ; size > lastBytes && kept > 1; kept-- {
		size -= events[kept-2].Size()
	}
	if kept < len(events) {
		workflow.GetLogger(ctx).Error("events lost: too large together", "events", len(events)-kept)
		events = append(events[:kept-1], events[len(events)-1])
	}
	return events
}

func sizeOf(events []contract.EventRecord) (size int) {
	for _, event := range events {
		size += event.Size()
	}
	return size
}

func nextBatch(events []contract.EventRecord, description string) contract.PublishEventsInput {
	size := 0
	for n, event := range events {
		size += event.Size()
		if size > batchBytes && n > 0 {
			events = events[:n]
			break
		}
	}
	in := contract.PublishEventsInput{Events: events}
	if describe(events) {
		in.TaskDescription = description
	}
	return in
}

// describe reports whether one of the events contains the task's description. The description travels once
// for all of them.
func describe(events []contract.EventRecord) bool {
	return slices.ContainsFunc(events, func(e contract.EventRecord) bool { return e.Kind == domain.EventStreamStart })
}
