//go:build integration

package chaos

import (
	"strings"
	"time"

	"deliberation.io/deliberation/e2e/stack"
)

// Temporal and NATS. Results never wait for NATS.
var serverFaults = []experiment{
	{
		name: "Temporal stopped and started", alone: true, run: temporalRestarted,
		allows: allowance{recovery: within(lostPoll, slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "NATS stopped and started", alone: true, run: natsRestarted,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "NATS never there", short: true, run: natsNeverThere,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "NATS not configured", run: natsNotConfigured,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "NATS slow", run: natsSlow,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
}

func temporalRestarted(l *lab) {
	l.worker()
	l.begin(endsCompleted)
	l.awaitAnswering()
	stack.Stop(l.t, "temporal")
	time.Sleep(time.Duration(2+l.chance.IntN(8)) * time.Second)
	stack.Start(l.t, "temporal")
	l.endFault()
}

func natsRestarted(l *lab) {
	l.worker()
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	stack.Stop(l.t, "nats")
	l.t.Cleanup(func() { stack.Start(l.t, "nats") })
	l.releaseModels()
	l.endFault()
	l.awaitEnds()
	stack.Start(l.t, "nats")
}

func natsNeverThere(l *lab) {
	l.eventsGo = inOutbox
	l.worker("NATS_URL=nats://" + stack.FreeAddress(l.t))
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	l.releaseModels()
}

func natsNotConfigured(l *lab) {
	l.eventsGo = nowhere
	l.worker("NATS_URL=")
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	l.releaseModels()
}

func natsSlow(l *lab) {
	proxy, listen := stack.ProxyTo(l.t, natsHost())
	l.addToxic(proxy, "late", "latency", "downstream", 1, `{"latency":1000,"jitter":500}`)
	l.worker("NATS_URL=nats://" + listen)
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	l.releaseModels()
}

func natsHost() string { return strings.TrimPrefix(stack.At.NATSURL, "nats://") }
