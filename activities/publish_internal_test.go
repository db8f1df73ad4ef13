package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// Publishing to a JetStream that doesn't answer must leave slots for the stops.
func TestPublishEvents_ComeBackLaterWhileManyWaitForJetStream(t *testing.T) {
	var unasked domain.EventPublisher = struct{ domain.EventPublisher }{}
	s := set{Dependencies: Dependencies{Publisher: unasked}, publishing: make(chan struct{}, publishesAtOnce)}
	for range publishesAtOnce {
		s.publishing <- struct{}{}
	}

	err := s.publish(t.Context(), []domain.Event{{Kind: domain.EventStarted}})

	var refusal *domain.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, domain.KindPublish, refusal.Kind)
	require.Equal(t, 5*time.Second, refusal.RetryAfter)
	require.Len(t, s.publishing, publishesAtOnce, "the slots of the others are untouched")
}
