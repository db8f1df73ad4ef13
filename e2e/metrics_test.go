//go:build integration

package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

func TestMetricsAndLogsCarryNoTextOfAPrompt(t *testing.T) {
	const canary = "xyzzy-canary-4711"
	queue := stack.Queue(t)
	w := stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Step{"status": 500}, stack.Step{"text": `{"proposal":"` + canary + `","reasoning":"` + canary + `","score":0.5}`})
	request := stack.Request(t, stack.Agents(model))
	request.TaskDescription, request.Agents[0].PromptTemplate = canary, canary

	require.Equal(t, canary, stack.Result(t, stack.Begin(t, queue, request)).BestResult.Proposal)

	metrics := w.Metrics(t)
	for _, series := range []string{
		`deliberations\{.*outcome="completed"`, `deliberation_turns\{.*outcome="ModelUnavailable"`, `deliberation_turns\{.*outcome="completed"`,
		`deliberation_tokens\{.*kind="completion"`, `deliberation_ray_request_latency_seconds_count\{.*operation="submit",.*result="ok"`,
		`deliberation_time_to_first_token_seconds_count`, `deliberation_published_events\{.*result="stored"`, `deliberation_duration_seconds_bucket`,
	} {
		require.Regexp(t, series, metrics)
	}
	require.NotContains(t, metrics, canary)
	require.NotContains(t, w.Log(t), canary)
	for _, file := range logsOfTheStack(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(text), canary, file)
	}
}

func logsOfTheStack(t *testing.T) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(stack.At.Home, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(path, "log") {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	return files
}
