//go:build integration

package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

const (
	streams    = 200
	streamName = "stream-50x1500" // thirty seconds, as the turns in flight of measureFlight
)

// measureStreaming lets 200 turns stream at the same time, and then a client of the model server alone.
func measureStreaming(t *testing.T, r *report) {
	t.Helper()
	m := newModel(t)
	_, queue := worker(t)
	councils := m.council(20, modelNames(streamName, 4)...)
	run(t, 2, 2, deliberate(queue, m.council(20, "instant")))
	var base, ours, stops, starts, longest series
	for range *repetitions {
		base = append(base, tokenRate(m, func() { run(t, streams, streams, m.readStream) }))
		ours = append(ours, tokenRate(m, func() { run(t, streams/20, streams/20, deliberate(queue, councils)) }))
		start, length := m.spread()
		starts, longest = append(starts, start), append(longest, length)
		stops = append(stops, m.timeStop(t, queue))
	}
	share := ratios(ours, base)
	r.add(line{
		second: true, what: "200 turns that stream 50 tokens/s for 30 s, two runners: tokens/s", against: "the model server alone", base: base, ours: ours, ratio: share, target: "≥ 0.95 ×", met: share.median() >= 0.95, short: shortStream,
		note: fmt.Sprintf("the last stream begins %s s after the first token, and the longest takes %s s of its 30", short(starts.median()), short(longest.median())),
	})
	r.add(line{second: true, what: "a stop of one of them, s", against: "–", ours: stops, target: "≤ 1", met: stops.median() <= 1, short: shortStop})
	r.plot("streaming", "tokens/s of 200 turns", bar{"the model server alone", base}, bar{"through the whole system", ours})
}

// tokenRate counts the tokens a second of what the model sends meanwhile. The time ends with its last token, not
// with the deliberations' ends, which measureLatency has.
func tokenRate(m *model, during func()) float64 {
	before := m.tokens.Load()
	m.resetTokenTimes()
	during()
	return float64(m.tokens.Load()-before) / m.tokenTimes().Seconds()
}

func (m *model) readStream(ctx context.Context, id string) error {
	body := `{"model":"` + streamName + `/` + id + `","stream":true,"messages":[]}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http256.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
	}
	return lines.Err()
}

// timeStop cancels one of many streaming councils and returns the seconds until the model's calls are closed.
func (m *model) timeStop(t *testing.T, queue string) float64 {
	t.Helper()
	others := beginAll(t, queue, streams/20-1, m.council(20, modelNames(streamName, 4)...))
	one := beginAll(t, queue, 1, m.council(20, "stream-50x5000"))
	stack.Eventually(t, "all stream", func(c *assert.CollectT) { require.Equal(c, int64(streams), m.open.Load()) })
	before := m.aborted.Load()
	began := time.Now()
	require.NoError(t, stack.Temporal.CancelWorkflow(t.Context(), one[0].GetID(), one[0].GetRunID()))
	for m.aborted.Load() < before+20 && time.Since(began) < time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(began).Seconds()
	cancelAll(t, append(others, one...))
	return took
}
