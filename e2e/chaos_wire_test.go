//go:build integration

package e2e

import (
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/stretchr/testify/require"
)

// Faults between the worker and Ray: no turn is lost, so no call of the model is beyond the necessary.
var wireRows = []row{
	{
		name: "Ray unreachable for 60 s", story: rayUnreachable,
		allows: allowance{recovery: 10*time.Second + bustle, left: 5 * time.Second},
	},
	{
		name: "Ray latency 2 s with jitter", story: rayLatency,
		allows: allowance{recovery: slowest + 40*time.Second, left: 15 * time.Second},
	},
	{
		name: "reset in mid-body", quick: true, story: resetInMidBody,
		allows: allowance{recovery: 10*time.Second + bustle, left: 5 * time.Second},
	},
	{
		name: "submit's answer lost", quick: true, story: submitsAnswerLost,
		allows: allowance{recovery: slowest + 30*time.Second, left: 5 * time.Second},
	},
	{
		name: "await's answer lost", story: awaitsAnswerLost,
		allows: allowance{recovery: 10*time.Second + bustle, left: 5 * time.Second},
	},
}

func rayUnreachable(f *field) {
	proxy := f.workerBehindProxy()
	f.begin(endsCompleted)
	f.midway()
	proxy.Stop()
	time.Sleep(60 * time.Second)
	require.NoError(f.t, proxy.Start())
	f.over()
}

func rayLatency(f *field) {
	proxy := f.workerBehindProxy()
	f.poison(proxy, "late", "latency", "downstream", 1, `{"latency":2000,"jitter":1000}`)
	f.begin(endsCompleted)
	f.running()
	f.release()
}

func resetInMidBody(f *field) {
	proxy := f.workerBehindProxy()
	f.begin(endsCompleted)
	f.running()
	cut := fmt.Sprintf(`{"bytes":%d}`, 100+f.chance.IntN(300))
	f.poison(proxy, "cut", "limit_data", "downstream", 0.7, cut)
	f.release()
	f.quiet()
	require.NoError(f.t, proxy.Toxics.RemoveToxic(f.t.Context(), "cut"))
	f.over()
}

// No byte of an answer comes through: the app does the work, the worker doesn't learn of it. After five such
// submits the worker's breaker lets one at a time try, the others wait for it.
func submitsAnswerLost(f *field) {
	proxy := f.workerBehindProxy()
	f.poison(proxy, "deaf", "limit_data", "downstream", 1, `{"bytes":0}`)
	f.begin(endsCompleted)
	f.holdingAtLeast(f.turns / 4)
	f.moment()
	require.NoError(f.t, proxy.Toxics.RemoveToxic(f.t.Context(), "deaf"))
	f.over()
	f.running()
	f.release()
}

func awaitsAnswerLost(f *field) {
	proxy := f.workerBehindProxy()
	f.begin(endsCompleted)
	f.running()
	f.poison(proxy, "deaf", "limit_data", "downstream", 1, `{"bytes":0}`)
	f.release()
	f.quiet()
	require.NoError(f.t, proxy.Toxics.RemoveToxic(f.t.Context(), "deaf"))
	f.over()
}

// poison makes a proxy misbehave.
func (f *field) poison(proxy *toxiproxy.Proxy, name, kind, stream string, share float64, attributes string) {
	f.t.Helper()
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name":%q,"type":%q,"stream":%q,"toxicity":%g,"attributes":%s}`, name, kind, stream, share, attributes)))
	require.NoError(f.t, err)
}
