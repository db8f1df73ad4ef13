//go:build integration

package e2e

import (
	"strings"
	"time"
)

// longPoll is how long a worker's poll stays with a server that has just come back and has lost it.
const longPoll = 70 * time.Second

// Temporal and NATS. Results never wait for NATS.
var serverRows = []row{
	{
		name: "Temporal stopped and started", alone: true, story: temporalRestarted,
		allows: allowance{recovery: longPoll + slowest + bustle, left: 5 * time.Second},
	},
	{
		name: "NATS stopped and started", alone: true, story: natsRestarted,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
	{
		name: "NATS never there", quick: true, story: natsNeverThere,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
	{
		name: "NATS not configured", story: natsNotConfigured,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
	{
		name: "NATS slow", story: natsSlow,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
}

func temporalRestarted(f *field) {
	f.worker()
	f.begin(endsCompleted)
	f.midway()
	control(f.t, "stop", "temporal")
	time.Sleep(time.Duration(2+f.chance.IntN(8)) * time.Second)
	control(f.t, "start", "temporal")
	f.over()
}

func natsRestarted(f *field) {
	f.worker()
	f.begin(endsCompleted)
	f.running()
	control(f.t, "stop", "nats")
	f.t.Cleanup(func() { control(f.t, "start", "nats") })
	f.release()
	f.over()
	f.settle()
	control(f.t, "start", "nats")
}

func natsNeverThere(f *field) {
	f.news = inOutbox
	f.worker("NATS_URL=nats://" + freeAddress(f.t))
	f.begin(endsCompleted)
	f.running()
	f.release()
}

func natsNotConfigured(f *field) {
	f.news = nowhere
	f.worker("NATS_URL=")
	f.begin(endsCompleted)
	f.running()
	f.release()
}

func natsSlow(f *field) {
	proxy, listen := proxyTo(f.t, strings.TrimPrefix(stack.NATSURL, "nats://"))
	f.poison(proxy, "late", "latency", "downstream", 1, `{"latency":1000,"jitter":500}`)
	f.worker("NATS_URL=nats://" + listen)
	f.begin(endsCompleted)
	f.running()
	f.release()
}
