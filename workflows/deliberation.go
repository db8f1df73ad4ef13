package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// stories are the workflows, and the surroundings that an Opening records.
type stories struct{ environment domain.Environment }

// Deliberation puts the request's task to its council and ranks the proposals. It ends once, with the
// result or with InvalidRequest, DeliberationFailed, DeadlineExceeded or a cancellation.
func (s stories) Deliberation(ctx workflow.Context, input contract.Input) (contract.Result, error) {
	d, err := begin(ctx)
	if err != nil {
		return contract.Result{}, err
	}
	d.environment = s.environment
	if err := d.open(ctx, contract.Received(input.Payload())); err != nil {
		return contract.Result{}, err
	}

	end := d.deliberate(ctx)

	d.stopRest(ctx, end)
	return d.conclude(ctx, end)
}

// deliberation is one run of the workflow: what its queries show, and what its agents work on.
type deliberation struct {
	key     domain.RunKey
	runID   string
	started time.Time

	environment domain.Environment // to be asked by what records the answer only
	opening     Opening
	request     domain.DeliberationRequest
	council     domain.Council
	cluster     string // where the next attempts go
	work        []*work
	moves       int         // from cluster to cluster
	abandoned   []placed    // on clusters that were gone
	attended    []string    // clusters on which these are being stopped
	forgettable []contract. // outcomes of these
			Handle
	news *news

	status     domain.DeliberationStatus
	phase      string
	waitingFor string
	refusal    string // the last one that the queue heard
	submitted  bool
	accepted   bool
	deadline   time.Time
	closed     time.Time
	best       *contract.AgentResult
	failure    string
}

// Phases that a person sees.
const (
	phaseOpening  = "opening"
	phaseQueued   = "queued"
	phaseStopping = "stopping"
	phaseDone     = "done"
)

// begin comes before anything else: queries are answered from the first task on.
func begin(ctx workflow.Context) (*deliberation, error) {
	info := workflow.GetInfo(ctx)
	d := &deliberation{
		key:     domain.RunKey{WorkflowID: info.WorkflowExecution.ID, OriginalRunID: info.OriginalRunID},
		runID:   info.WorkflowExecution.RunID,
		started: info.WorkflowStartTime.UTC(),
		status:  domain.StatusRunning,
		phase:   phaseOpening,
	}
	err := d.answerQueries(ctx)
	return d, err
}

// open reads the request and the surroundings, once.
func (d *deliberation) open(ctx workflow.Context, request contract.Request) error {
	opening, err := open(ctx, d.environment, request)
	if err != nil {
		return err
	}
	d.opening, d.cluster = opening, opening.Cluster
	if len(opening.Faults) > 0 {
		return d.refuse(ctx, opening.Faults)
	}
	d.request = opening.Request.Domain()
	d.council = domain.NewCouncil(d.request)
	for _, turn := range d.request.Turns(d.key) {
		d.work = append(d.work, &work{turn: turn})
		d.council = d.council.Submit(turn, domain.Handle{})
	}
	if err := d.showOpening(ctx); err != nil {
		return err
	}
	d.news = startNews(ctx, d)
	d.announceStarted(ctx)
	return nil
}

// end is why a run stops waiting for its agents.
type end string

const (
	endDecided   end = "decided"
	endDeadline  end = "deadline"
	endQueue     end = "queue"
	endCancelled end = "cancelled"
)

func (e end) unfinished() bool { return e != endDecided }

// deliberate runs every agent's turns until all agents are done, or the time is over.
func (d *deliberation) deliberate(ctx workflow.Context) end {
	working, stop := workflow.WithCancel(ctx)
	defer stop()

	workflow.Go(working, d.stopAbandoned)
	if end, ended := d.submitAll(working); ended {
		return end
	}
	d.startDeadline(working)
	for _, w := range d.work {
		workflow.Go(working, func(ctx workflow.Context) { d.pursue(ctx, w) })
	}

	err := workflow.Await(ctx, func() bool { return d.council.Decided() || d.late() })
	switch {
	case d.council.Decided():
		return endDecided
	case err != nil:
		return endCancelled
	}
	return endDeadline
}

// submitAll puts all agents' first turns to Ray in one request: the deliberation lives on one runner.
func (d *deliberation) submitAll(ctx workflow.Context) (end, bool) {
	d.show(ctx, phaseQueued)
	giveUp := workflow.Now(ctx).Add(d.request.Constraints().QueueTimeout())
	accepted, err := d.queue(ctx, giveUp)
	for err == nil && accepted.Elsewhere {
		d.moveAll(ctx)
		accepted, err = d.queue(ctx, giveUp)
	}
	switch {
	case temporal.IsCanceledError(err):
		return endCancelled, true
	case err != nil && timedOut(err):
		d.refused(lastRefusal(err))
		return endQueue, true
	case err != nil:
		d.council = d.council.FailRest(failureOf(err))
		return endDecided, true
	case accepted.Refusal != "":
		d.refused(accepted.Refusal)
		return endQueue, true
	}
	d.waitingFor, d.accepted = "", true
	for _, w := range d.work {
		d.abandon(w)
	}
	d.announceStreams(ctx)
	return "", false
}

// queue waits for room on the cluster where the council is placed.
func (d *deliberation) queue(ctx workflow.Context, giveUp time.Time) (contract.SubmitTurnsResult, error) {
	d.waitingFor = d.cluster
	patience := max(time.Second, giveUp.Sub(workflow.Now(ctx)))
	return d.submit(ctx, SubmitTurns, d.work, patience, d.request.Constraints().Timeout())
}

func (d *deliberation) refused(why string) {
	d.refusal = d.cluster + ": " + why
	d.waitingFor = d.refusal
}

// startDeadline starts the one timer that ends a run: timeout_seconds from the first acceptance.
func (d *deliberation) startDeadline(ctx workflow.Context) {
	timeout := d.request.Constraints().Timeout()
	d.deadline = workflow.Now(ctx).Add(timeout)
	d.show(ctx, string(domain.Propose))
	timer := workflow.NewTimerWithOptions(ctx, timeout, workflow.TimerOptions{Summary: "deadline"})
	workflow.Go(ctx, func(ctx workflow.Context) {
		if timer.Get(ctx, nil) == nil {
			d.phase = phaseStopping
		}
	})
}

func (d *deliberation) late() bool { return d.phase == phaseStopping }

func (d *deliberation) remaining(ctx workflow.Context) time.Duration {
	return max(time.Second, d.deadline.Sub(workflow.Now(ctx)))
}
