//go:build integration

package e2e

import (
	"slices"
	"time"

	"deliberation.io/deliberation/workflows/contract"
)

// The model's faults. The calls that its script makes necessary are counted as such. Where it fails every agent
// once, each of them goes all the way twice.
var modelRows = []row{
	{
		name: "model 500s", quick: true, story: modelFailsOnce(step{"status": 500}),
		allows: allowance{recovery: slowest + 2*bustle, left: 5 * time.Second},
	},
	{
		name: "model 503s", story: modelFailsOnce(step{"status": 503, "headers": map[string]string{"Retry-After": "1"}}),
		allows: allowance{recovery: slowest + 2*bustle, left: 5 * time.Second},
	},
	{
		name: "model hangs", story: modelHangs,
		allows: allowance{recovery: 20*time.Second + bustle, left: 5 * time.Second},
	},
	{
		name: "model resets in mid-stream", story: modelResets,
		allows: allowance{recovery: slowest + 2*bustle, left: 5 * time.Second},
	},
	{
		name: "model answers garbage", story: modelAnswersGarbage,
		allows: allowance{recovery: slowest + 2*bustle, left: 5 * time.Second},
	},
	{
		name: "model ends with length", story: modelEndsWithLength,
		allows: allowance{recovery: slowest + 2*bustle, left: 5 * time.Second},
	},
	{
		name: "model refuses the schema", story: modelRefusesTheSchema,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
}

// modelFailsOnce lets every agent's first call fail: held until all are there, so that no agent gets two
// failures, which come together.
func modelFailsOnce(failure step) func(f *field) {
	return func(f *field) {
		failure["hold"] = true
		f.failFirst(func() step { return failure })
	}
}

func (f *field) failFirst(failure func() step) {
	flaky := f.model("flaky")
	f.worker()
	f.plan(endsCompleted, only(flaky))
	steps := make([]step, 0, 2*f.turns)
	for range f.turns {
		steps = append(steps, failure())
	}
	f.script(flaky, append(steps, f.answering(100*time.Millisecond, slowest)...)...)
	f.calls += f.turns
	f.start()
	f.running()
	f.release()
	f.over()
}

func modelHangs(f *field) {
	endless := f.model("endless")
	f.script(endless, hangs())
	f.worker()
	f.begin(endsDegraded, func(r *contract.Request) {
		r.Agents[len(r.Agents)-1].Model = endless
		r.Constraints.TimeoutSeconds = f.seconds(20)
	})
	f.answers -= len(f.trials)
	f.running()
	f.release()
}

func modelResets(f *field) {
	f.failFirst(func() step {
		broken := answers("0.9")
		broken["hold"], broken["reset_after_chunks"] = true, f.chance.IntN(15)
		return broken
	})
}

// modelAnswersGarbage: a text that can be read is a proposal, however it looks. One without any is asked again.
func modelAnswersGarbage(f *field) {
	texts := []string{"I would rather not.", `{"proposal":"do it","score":`, `{"proposal":["a",1],"score":"high"}`, " \n ", "```json\n```"}
	empty := 0
	f.failFirst(func() step {
		text := f.chance.IntN(len(texts))
		if text > 2 {
			empty++
		}
		return step{"hold": true, "text": texts[text]}
	})
	f.calls += empty - f.turns
	f.answers += empty
}

func modelEndsWithLength(f *field) {
	f.failFirst(func() step {
		return step{"hold": true, "finish_reason": "length", "text": `{"proposal":"do it, and then`}
	})
	f.answers += f.turns
}

// modelRefusesTheSchema: the runner asks again at once, within the turn, and remembers it of the server.
func modelRefusesTheSchema(f *field) {
	plain := f.model("plain")
	steps := f.answering(4*time.Second, slowest)
	for _, each := range steps {
		each["refuse_formats"] = []string{"json_schema"}
	}
	f.script(plain, steps...)
	f.worker()
	f.begin(endsCompleted, only(plain))
	f.calls += f.turns
	f.running()
	f.release()
}

// only makes all agents of a council ask one model.
func only(model string) func(r *contract.Request) {
	return func(r *contract.Request) { r.Agents = agents(slices.Repeat([]string{model}, len(r.Agents))...) }
}
