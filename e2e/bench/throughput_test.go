//go:build integration

package bench

import (
	"testing"

	"deliberation.io/deliberation/activities/ray/raytest"
	"deliberation.io/deliberation/e2e/stack"
)

const (
	crowd  = 200 // workflows of one measurement
	atOnce = 50
	three  = 3 // agents of a council
)

// measureThroughput runs as many workflows as the machine can, 50 at a time: those that do nothing,
// deliberations on Ray, and deliberations on a Ray app in Go that costs little.
func measureThroughput(t *testing.T, r *report) {
	t.Helper()
	m, plain := newModel(t), workPlainly(t)
	w, queue := worker(t)
	fakeQueue, app := workerOnFake(t)
	councils := m.council(three, "instant")
	run(t, atOnce, atOnce, plainly(plain, 1, three)) // warm up
	run(t, atOnce, atOnce, deliberate(queue, councils))
	run(t, atOnce, atOnce, deliberate(fakeQueue, councils))
	stackParts := processesOf(t, w)
	var plainRate, rate, fakeRate, plainCPU, cpu, rayCPU, workerCPU, requests series
	var rayParts [3]series
	for range *repetitions {
		before := stackParts.seconds(t)
		did := run(t, crowd, atOnce, plainly(plain, 1, three))
		plainRate = append(plainRate, did.perSecond())
		plainCPU = append(plainCPU, did.each(stackParts.seconds(t).since(before)["temporal"]))

		before = stackParts.seconds(t)
		did = run(t, crowd, atOnce, deliberate(queue, councils))
		spent := stackParts.seconds(t).since(before)
		rate = append(rate, did.perSecond())
		cpu, workerCPU = append(cpu, did.each(spent["temporal"])), append(workerCPU, did.each(spent["worker"]))
		rayCPU = append(rayCPU, did.each(spent.onRay())/three)
		for n, part := range []string{"proxy", "gateway", "runner"} {
			rayParts[n] = append(rayParts[n], did.each(spent[part])/three)
		}

		asked := requestsTo(app)
		did = run(t, crowd, atOnce, deliberate(fakeQueue, councils))
		fakeRate = append(fakeRate, did.perSecond())
		requests = append(requests, float64(requestsTo(app)-asked)/crowd)
	}
	share, fakeShare := ratios(rate, plainRate), ratios(fakeRate, plainRate)
	r.add(line{what: "deliberations/s, 50 at a time", base: plainRate, ours: rate, ratio: share, target: "≥ 0.55 of the no-op's", met: share.median() >= 0.55, short: shortThroughput})
	r.add(line{what: "deliberations/s, 50 at a time, on the fake Ray app", base: plainRate, ours: fakeRate, ratio: fakeShare, target: "≥ 0.7 of the no-op's", met: fakeShare.median() >= 0.7, short: shortWork})
	r.add(line{what: "CPU of Temporal a deliberation, ms", base: plainCPU, ours: cpu, target: "≤ 80", met: cpu.median() <= 80, short: shortWork})
	r.add(line{
		what: "CPU on Ray a turn, ms", ours: rayCPU, target: "≤ 15", met: rayCPU.median() <= 15, short: shortTurn,
		note: "proxy " + rayParts[0].String() + ", gateway " + rayParts[1].String() + ", runners " + rayParts[2].String(),
	})
	r.add(line{what: "CPU of the worker a deliberation, ms", ours: workerCPU, target: "≤ 12", met: workerCPU.median() <= 12, short: shortWorker})
	r.add(line{what: "HTTP requests to Ray a deliberation, under load", ours: requests, target: "≤ 2", met: requests.median() <= 2, short: shortRequests})
	r.plot("throughput", "deliberations/s, 50 at a time", bar{"no-op workflow", plainRate}, bar{"deliberation, fake Ray app", fakeRate}, bar{"deliberation, Ray", rate})
	r.plot("cpu", "CPU on Ray a turn, ms", bar{"proxy", rayParts[0]}, bar{"gateway", rayParts[1]}, bar{"runners", rayParts[2]})
}

// worker starts a worker on a queue of its own.
func worker(t *testing.T, settings ...string) (started *stack.Worker, queue string) {
	t.Helper()
	queue = stack.Task(t)
	return stack.StartWorker(t, queue, append(settings, "DELIBERATION_LOG_LEVEL=WARN")...), queue
}

// workerOnFake starts a worker that uses a Ray app in memory.
func workerOnFake(t *testing.T) (string, *raytest.App) {
	t.Helper()
	app := raytest.NewApp(t)
	_, queue := worker(t, "DELIBERATION_RAY_CLUSTERS=local="+app.URL, "DELIBERATION_RAY_TOKEN="+app.Token)
	return queue, app
}

func requestsTo(app *raytest.App) (all int) {
	for _, path := range []string{"/v1/turns", "/v1/turns/await", "/v1/turns/stop", "/v1/turns/forget"} {
		all += app.Requests(path)
	}
	return all
}
