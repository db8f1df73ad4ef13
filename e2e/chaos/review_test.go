//go:build integration

package chaos

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// Faults that meet councils whose proposals are answered: half of the subjects are in their first review, the
// other half in the revision after it. What was answered before the fault must not be asked again.
var reviewFaults = []experiment{
	{
		name: "worker SIGKILL in review and revision", reviewed: true, run: workerKilled,
		allows: allowance{recovery: within(deadWorker, slowestAnswer, laterPhases, endTogether), left: 5 * time.Second},
	},
	{
		name: "runner killed in review and revision", reviewed: true, alone: true, run: runnerKilled,
		allows: allowance{answersDie: true, recovery: within(slowestAnswer, askedAgain, laterPhases, endTogether), left: 5 * time.Second},
	},
	{
		name: "gateway replica killed in review and revision", reviewed: true, alone: true, run: gatewayKilled,
		allows: allowance{recovery: within(newGateway, slowestAnswer, laterPhases, endTogether), left: 5 * time.Second},
	},
	{
		name: "Ray stopped and started in review and revision", reviewed: true, alone: true, run: rayRestarted,
		allows: allowance{answersDie: true, recovery: within(newRay, slowestAnswer, laterPhases, endTogether), left: 5 * time.Second},
	},
	{
		name: "NATS cut off in review and revision", reviewed: true, run: natsCutOff,
		allows: allowance{recovery: within(slowestAnswer, laterPhases, endTogether), left: 5 * time.Second},
	},
	{
		name: "model 500s in review and revision", reviewed: true, run: modelFailsReviews,
		allows: allowance{recovery: within(slowestAnswer, secondRound, laterPhases, endTogether), left: 5 * time.Second},
	},
	{
		name: "reset in review and revision", reviewed: true, run: resetByCommand,
		allows: allowance{recovery: within(nextTry, slowestAnswer, laterPhases, endTogether), left: 5 * time.Second},
	},
	{
		name: "cancel in review and revision", reviewed: true, run: cancelledReviewing,
		allows: allowance{recovery: within(endTogether), left: 5 * time.Second},
	},
	{
		name: "deadline in review and revision", reviewed: true, run: lateReviewing,
		allows: allowance{recovery: within(reviewDeadlineOver, endTogether), left: 5 * time.Second},
	},
}

// heldPhases are the phases in which faults meet the subjects, in turn. Before is how many turns each agent has
// answered by then.
var heldPhases = []struct {
	kind   domain.PhaseKind
	before int
}{{domain.PeerReview, 1}, {domain.Revise, 2}}

const reviewedTurns = 4 // of each agent: proposal, review, revision, second review

// review makes the council of the next subject review and revise. Its model holds one phase.
func (l *lab) review(request *contract.Request) {
	held := heldPhases[len(l.subjects)%len(heldPhases)]
	onlyModel(l.holding[held.kind])(request)
	request.TaskDescription += " Block every proposal." // the stand-in model does, so that all are revised
	request.Protocol = &contract.Protocol{Review: domain.ReviewPeer, Rounds: new(1)}
	agents := len(request.Agents)
	l.answeredBefore += held.before * agents
	l.callsNeeded, l.answersNeeded = l.callsNeeded+(reviewedTurns-1)*agents, l.answersNeeded+(reviewedTurns-1)*agents
}

// holdReviews lets the models hold the turns of one phase until they are released. All other turns are quick.
// The failures come first, one for each turn that is held.
func (l *lab) holdReviews(failures ...stack.Step) {
	for i, held := range heldPhases {
		turns := 0
		for at := i; at < len(l.subjects); at += len(heldPhases) {
			turns += len(l.subjects[at].request.Agents)
		}
		var steps []stack.Step
		for _, failure := range failures {
			steps = append(steps, slices.Repeat([]stack.Step{failure}, turns)...)
		}
		for _, answer := range l.manyAnswers(turns, 100*time.Millisecond, longestAnswer) {
			delete(answer, "text") // canned, since a review names its proposals
			steps = append(steps, answer)
		}
		for _, step := range steps {
			step["phase"] = held.kind
		}
		l.script(l.holding[held.kind], append(steps, stack.Step{"delay_seconds": 0})...)
	}
}

// freezeIfReviewed freezes the worker while the doomed turns are counted: councils that review would begin
// their next phase meanwhile, with turns that nobody counts.
func (l *lab) freezeIfReviewed(worker *stack.Worker) (thaw func()) {
	if !l.experiment.reviewed {
		return func() {}
	}
	worker.Freeze(l.t)
	return func() { worker.Thaw(l.t) }
}

// natsCutOff cuts off NATS until the subjects have ended.
func natsCutOff(l *lab) {
	proxy, listen := stack.ProxyTo(l.t, natsHost())
	l.worker("NATS_URL=nats://" + listen)
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	proxy.Stop()
	l.releaseModels()
	l.endFault()
	l.awaitEnds()
	require.NoError(l.t, proxy.Start())
}

// modelFailsReviews fails the first call of every review and of every revision that is held.
func modelFailsReviews(l *lab) {
	l.worker()
	l.plan(endsCompleted)
	l.holdReviews(stack.Step{"status": 500, "hold": true})
	l.callsNeeded += l.turns
	l.start()
	l.awaitAllInFlight()
	l.releaseModels()
	l.endFault()
}

func cancelledReviewing(l *lab) {
	l.worker()
	l.begin(endsCancelled)
	l.awaitAllInFlight()
	l.callsNeeded, l.answersNeeded = l.answeredBefore+l.turns, l.answeredBefore
	l.cancel()
	l.awaitEnds()
}

// lateReviewing lets the deadline come while nobody has answered the review, or the revision. What was there
// before is ranked.
func lateReviewing(l *lab) {
	l.worker()
	l.plan(endsLate, timeout(reviewDeadlineOver.lasts), func(r *contract.Request) {
		r.Protocol.Patience = new(86400)
	})
	for phase, model := range l.holding {
		l.script(model, stack.Step{"phase": phase, "hold": true})
	}
	l.start()
	l.awaitAllInFlight()
	l.endFault()
	l.awaitEnds()
	l.expectNoMoreCalls() // a silent model is called again, several times
	l.answersNeeded = l.answeredBefore
}
