//go:build integration

package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/internal/searchattributes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestAWorkerWarnsOnceOfMissingSearchAttributes(t *testing.T) {
	s := newSpace(t, "bare")
	queue := stack.Queue(t)
	w := stack.StartWorker(t, queue, s.worker(standInForRay(t), "DELIBERATION_REGISTER_SEARCH_ATTRIBUTES=false")...)

	run := s.begin(t, queue, "good")
	var result contract.Result
	require.NoError(t, run.Get(t.Context(), &result))
	require.Equal(t, 1, result.CompletedAgents)

	warnings := regexp.MustCompile(`(?m)^.*level=(WARN|ERROR).*$`).FindAllString(w.Log(t), -1)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "search attributes are missing")
	_, command, named := strings.Cut(warnings[0], `command="temporal `)
	require.True(t, named, warnings[0])

	registered := stack.TemporalCLI(t, strings.Fields(strings.TrimSuffix(command, `"`))...)
	require.Zero(t, registered.Code, registered.Stderr)
	stack.Eventually(t, "the namespace has them all", func(c *assert.CollectT) {
		survey, err := searchattributes.SurveyNamespace(t.Context(), s, s.name)
		require.NoError(c, err)
		require.Empty(c, survey.Missing)
	})
}
