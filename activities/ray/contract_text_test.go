package ray_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// bringsText: each turn's messages come once, in order, whether waits bring them or NATS does. The wait still ends with
// the first turn that ends.
func bringsText(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 2)
	config, heard := app.config(), &ear{}
	config.Owner = c.submission.Owner
	app.listen(t, &config, c.submission.Deliberation, heard)
	listener := newClient(t, config)
	release := c.hold(t, c.model, says(answerText))
	handles := c.submit(t)
	ended := make(chan []domain.Observation, 1)
	go func() {
		seen, _ := listener.Await(t.Context(), handles, 30*time.Second)
		ended <- seen
	}()
	require.Eventually(t, func() bool { return len(heard.said(handles[0].TurnID)) > 0 }, patience, 10*time.Millisecond, "the start comes while the turn runs")
	release()
	seen := <-ended
	require.NotEmpty(t, seen)
	for _, each := range seen {
		require.Equal(t, domain.RayCompleted, each.State, "text names no turn")
		require.Equal(t, answerText, each.Completion.Text)
		require.Eventually(t, func() bool { return heard.complete(each.TurnID) }, patience, 10*time.Millisecond)
		said := heard.said(each.TurnID)
		var text strings.Builder
		for i, message := range said {
			require.Equal(t, i+1, message.Sequence)
			require.Equal(t, c.submission.Deliberation, message.DeliberationID)
			require.Equal(t, string(domain.Propose), message.Phase)
			require.Equal(t, 1, message.Attempt)
			text.WriteString(message.Text)
		}
		require.Equal(t, answerText, text.String())
		last := said[len(said)-1]
		require.Equal(t, []string{"start", "complete", "completed"}, []string{said[0].Kind, last.Kind, last.State})
		require.Positive(t, last.Tokens)
	}
}

// ear keeps what it hears.
type ear struct {
	mu    sync.Mutex
	heard map[domain.TurnID][]contract.Saying
}

func (e *ear) hear(said []contract.Saying) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard == nil {
		e.heard = map[domain.TurnID][]contract.Saying{}
	}
	for _, each := range said {
		e.heard[each.TurnID] = append(e.heard[each.TurnID], each)
	}
}

func (e *ear) complete(id domain.TurnID) bool {
	said := e.said(id)
	return len(said) > 0 && said[len(said)-1].Kind == "complete"
}

func (e *ear) said(id domain.TurnID) []contract.Saying {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[id]
}
