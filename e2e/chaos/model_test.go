//go:build integration

package chaos

import (
	"time"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// Faults of the model. The calls that its script makes necessary count as needed.
var modelFaults = []experiment{
	{
		name: "model 500s", short: true, run: modelFailsOnce(stack.Step{"status": 500}),
		allows: allowance{recovery: within(slowestAnswer, secondRound, endTogether), left: 5 * time.Second},
	},
	{
		name: "model 503s", run: modelFailsOnce(stack.Step{"status": 503, "headers": map[string]string{"Retry-After": "1"}}),
		allows: allowance{recovery: within(slowestAnswer, secondRound, endTogether), left: 5 * time.Second},
	},
	{
		name: "model hangs", run: modelHangs,
		allows: allowance{recovery: within(hangingOver, endTogether), left: 5 * time.Second},
	},
	{
		name: "model resets in mid-stream", run: modelResets,
		allows: allowance{recovery: within(slowestAnswer, secondRound, endTogether), left: 5 * time.Second},
	},
	{
		name: "model answers garbage", run: modelAnswersGarbage,
		allows: allowance{recovery: within(slowestAnswer, secondRound, endTogether), left: 5 * time.Second},
	},
	{
		name: "model ends with length", run: modelEndsWithLength,
		allows: allowance{recovery: within(slowestAnswer, secondRound, endTogether), left: 5 * time.Second},
	},
	{
		name: "model refuses the schema", run: modelRefusesTheSchema,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
}

// modelFailsOnce fails the first call of every agent. The model holds these calls until all of them are there:
// otherwise one agent might get the failures of two.
func modelFailsOnce(failure stack.Step) func(l *lab) {
	return func(l *lab) {
		failure["hold"] = true
		l.failFirst(func() stack.Step { return failure })
	}
}

// failFirst runs subjects whose model fails as many calls as there are turns, and then answers.
func (l *lab) failFirst(failure func() stack.Step) {
	flaky := l.model("flaky")
	l.worker()
	l.plan(endsCompleted, onlyModel(flaky))
	steps := make([]stack.Step, 0, 2*l.turns)
	for range l.turns {
		steps = append(steps, failure())
	}
	l.script(flaky, append(steps, l.answers(100*time.Millisecond, longestAnswer)...)...)
	l.callsNeeded += l.turns
	l.start()
	l.awaitAllInFlight()
	l.releaseModels()
	l.endFault()
}

func modelHangs(l *lab) {
	endless := l.model("endless")
	l.script(endless, stack.Hangs())
	l.worker()
	l.begin(endsDegraded, timeout(hangingOver.lasts), func(r *contract.Request) { r.Agents[len(r.Agents)-1].Model = endless })
	l.answersNeeded -= len(l.subjects)
	l.awaitAllInFlight()
	l.releaseModels()
}

func modelResets(l *lab) {
	l.failFirst(func() stack.Step {
		broken := stack.Answers("0.9")
		broken["hold"], broken["reset_after_chunks"] = true, l.chance.IntN(15)
		return broken
	})
}

// modelAnswersGarbage answers every agent's first call with some text. Any text is a proposal, however it looks;
// an empty one is asked again.
func modelAnswersGarbage(l *lab) {
	texts := []string{"I would rather not.", `{"proposal":"do it","score":`, `{"proposal":["a",1],"score":"high"}`, " \n ", "```json\n```"}
	empty := 0
	l.failFirst(func() stack.Step {
		text := l.chance.IntN(len(texts))
		if text > 2 {
			empty++
		}
		return stack.Step{"hold": true, "text": texts[text]}
	})
	l.callsNeeded += empty - l.turns
	l.answersNeeded += empty
}

func modelEndsWithLength(l *lab) {
	l.failFirst(func() stack.Step {
		return stack.Step{"hold": true, "finish_reason": "length", "text": `{"proposal":"do it, and then`}
	})
	l.answersNeeded += l.turns
}

// modelRefusesTheSchema costs a second call within the turn. The runner then remembers what the server refuses.
func modelRefusesTheSchema(l *lab) {
	plain := l.model("plain")
	steps := l.answers(4*time.Second, longestAnswer)
	for _, each := range steps {
		each["refuse_formats"] = []string{"json_schema"}
	}
	l.script(plain, steps...)
	l.worker()
	l.begin(endsCompleted, onlyModel(plain))
	l.callsNeeded += l.turns
	l.awaitAllInFlight()
	l.releaseModels()
}
