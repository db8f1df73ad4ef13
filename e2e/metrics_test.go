//go:build integration

package e2e

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMetricsAndLogsCarryNoTextOfAPrompt(t *testing.T) {
	const canary = "xyzzy-canary-4711"
	queue := queueOf(t)
	w := startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, step{"status": 503}, step{"text": `{"proposal":"` + canary + `","reasoning":"` + canary + `","score":0.5}`})
	request := requestOf(t, agents(model))
	request.TaskDescription, request.Agents[0].PromptTemplate = canary, canary

	require.Equal(t, canary, result(t, begin(t, queue, request)).BestResult.Proposal)

	metrics := w.metrics(t)
	for _, series := range []string{
		`deliberations\{.*outcome="completed"`, `deliberation_turns\{.*outcome="ModelUnavailable"`, `deliberation_turns\{.*outcome="completed"`,
		`deliberation_tokens\{.*kind="completion"`, `deliberation_ray_request_latency_seconds_count\{.*operation="submit",.*result="ok"`,
		`deliberation_time_to_first_token_seconds_count`, `deliberation_published_events\{.*result="stored"`, `deliberation_duration_seconds_bucket`,
	} {
		require.Regexp(t, series, metrics)
	}
	require.NotContains(t, metrics, canary)
	text, err := os.ReadFile(w.log)
	require.NoError(t, err)
	require.NotContains(t, string(text), canary)
	for _, file := range logsOfTheStack(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(text), canary, file)
	}
}

func (w *worker) metrics(t *testing.T) string {
	t.Helper()
	return scrape(t, w.address)
}

func scrape(t require.TestingT, address string) string {
	response, err := asking.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func logsOfTheStack(t *testing.T) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(stack.Home, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(path, "log") {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	return files
}
