package main

import (
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

const probeAnswer = `{"ready":true,"details":{"ray:a":"connection refused"},"clusters":[
	{"name":"a","breaker":"open","room":0,"fault":"local: connection refused","seen_at":"2026-01-01T12:00:00Z"},
	{"name":"b","breaker":"closed","room":9990,"seen_at":"2026-01-01T12:00:00Z"}]}`

// workerProbe puts up a worker's probes, and another server, and names their addresses.
func workerProbe(ts *testscript.TestScript, _ bool, _ []string) {
	for variable, answer := range map[string]string{"WORKER": probeAnswer, "OTHER": `{"ready":true}`} {
		running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		ts.Defer(running.Close)
		ts.Setenv(variable, strings.TrimPrefix(running.URL, "http://"))
	}
}
