//go:build integration

package e2e

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"deliberation.io/deliberation/e2e/stack"
)

// collector takes spans as an OpenTelemetry collector does.
type collector struct {
	mu    sync.Mutex
	spans map[string]string // trace id by span name
	text  strings.Builder
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	var data tracepb.TracesData // encoded in the same way as the export request
	if err != nil || proto.Unmarshal(text, &data) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Write(text)
	for _, resource := range data.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans[span.GetName()] = string(span.GetTraceId())
			}
		}
	}
}

func TestOneTraceGoesFromTheStartToTheModelsTurn(t *testing.T) {
	const canary = "xyzzy-canary-4712"
	spans := &collector{spans: map[string]string{}}
	server := httptest.NewServer(spans)
	defer server.Close()
	otlp := "OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL
	queue := stack.Queue(t)
	stack.StartWorker(t, queue, otlp, "OTEL_BSP_SCHEDULE_DELAY=200")
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	request := stack.Request(t, stack.Agents(model))
	request.TaskDescription = canary

	file := filepath.Join(t.TempDir(), "request.json")
	require.NoError(t, os.WriteFile(file, []byte(asJSON(t, request)), 0o600))
	ran := stack.StarterWith(t, []string{otlp}, "run", "-f", file, "--task-queue", queue, "--json")
	require.Equal(t, 0, ran.Code, ran.Stderr)

	stack.Eventually(t, "all spans are of one trace", func(c *assert.CollectT) {
		spans.mu.Lock()
		defer spans.mu.Unlock()
		started := spans.spans["StartWorkflow:Deliberation"]
		assert.NotEmpty(c, started)
		for _, name := range []string{
			"RunWorkflow:Deliberation", "StartActivity:SubmitTurns", "RunActivity:SubmitTurns", "RunActivity:AwaitTurn",
		} {
			assert.Equal(c, started, spans.spans[name], name)
		}
	})
	require.NotContains(t, spans.text.String(), canary)
	require.Equal(t, hex.EncodeToString([]byte(spans.spans["RunActivity:SubmitTurns"])), strings.Split(stack.Calls(t, model)[0].Traceparent, "-")[1])
}
