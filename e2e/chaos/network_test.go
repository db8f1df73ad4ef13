//go:build integration

package chaos

import (
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/stretchr/testify/require"
)

// Faults between the worker and Ray: no turn is lost, so no call of the model is beyond the needed ones.
var networkFaults = []experiment{
	{
		name: "Ray unreachable for 60 s", run: rayUnreachable,
		allows: allowance{recovery: within(nextTry, endTogether), left: 5 * time.Second},
	},
	{
		name: "Ray latency 2 s with jitter", run: rayLatency,
		allows: allowance{recovery: within(slowRequests, slowestAnswer, endTogether), left: 15 * time.Second},
	},
	{
		name: "reset in mid-body", short: true, run: resetInMidBody,
		allows: allowance{recovery: within(nextTry, endTogether), left: 5 * time.Second},
	},
	{
		name: "submit's answer lost", short: true, run: submitsAnswerLost,
		allows: allowance{recovery: within(nextTry, slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "await's answer lost", run: awaitsAnswerLost,
		allows: allowance{recovery: within(nextTry, endTogether), left: 5 * time.Second},
	},
}

func rayUnreachable(l *lab) {
	proxy := l.workerBehindProxy()
	l.begin(endsCompleted)
	l.awaitAnswering()
	proxy.Stop()
	time.Sleep(60 * time.Second)
	require.NoError(l.t, proxy.Start())
	l.endFault()
}

func rayLatency(l *lab) {
	proxy := l.workerBehindProxy()
	l.addToxic(proxy, "late", "latency", "downstream", 1, `{"latency":2000,"jitter":1000}`)
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	l.releaseModels()
}

func resetInMidBody(l *lab) {
	proxy := l.workerBehindProxy()
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	cut := fmt.Sprintf(`{"bytes":%d}`, 100+l.chance.IntN(300))
	l.addToxic(proxy, "cut", "limit_data", "downstream", 0.7, cut)
	l.releaseModels()
	l.awaitOpenCalls(0)
	require.NoError(l.t, proxy.Toxics.RemoveToxic(l.t.Context(), "cut"))
	l.endFault()
}

// submitsAnswerLost lets no byte of an answer through: the app does the work, and the worker doesn't learn of
// it. After two seconds of this the worker's breaker lets only one submit at a time try; the others wait.
func submitsAnswerLost(l *lab) {
	proxy := l.workerBehindProxy()
	l.addToxic(proxy, "deaf", "limit_data", "downstream", 1, `{"bytes":0}`)
	l.begin(endsCompleted)
	l.awaitOpenCallsAtLeast(l.turns / 4)
	l.pause()
	require.NoError(l.t, proxy.Toxics.RemoveToxic(l.t.Context(), "deaf"))
	l.endFault()
	l.awaitAllInFlight()
	l.releaseModels()
}

func awaitsAnswerLost(l *lab) {
	proxy := l.workerBehindProxy()
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	l.addToxic(proxy, "deaf", "limit_data", "downstream", 1, `{"bytes":0}`)
	l.releaseModels()
	l.awaitOpenCalls(0)
	require.NoError(l.t, proxy.Toxics.RemoveToxic(l.t.Context(), "deaf"))
	l.endFault()
}

// addToxic makes a proxy misbehave. The share is that of the connections.
func (l *lab) addToxic(proxy *toxiproxy.Proxy, name, kind, stream string, share float64, attributes string) {
	l.t.Helper()
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name":%q,"type":%q,"stream":%q,"toxicity":%g,"attributes":%s}`, name, kind, stream, share, attributes)))
	require.NoError(l.t, err)
}
