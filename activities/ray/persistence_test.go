package ray_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// TestASubmitFailsOnceARefusalHasLasted: a token that is being replaced, or a proxy that is being repaired, ends
// no deliberation.
func TestASubmitFailsOnceARefusalHasLasted(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		at     domain.ErrorKind // at first
		after  domain.ErrorKind // after a minute
	}{
		"token":       {401, `{"error":{"type":"unauthorized","message":"m"}}`, domain.KindUnavailable, domain.KindDenied},
		"size":        {413, "<html></html>", domain.KindUnreachable, domain.KindRejected},
		"proxy's 403": {403, "<html></html>", domain.KindUnreachable, domain.KindUnreachable},
		"full":        {429, `{"error":{"type":"full","message":"m"}}`, domain.KindFull, domain.KindFull},
	} {
		t.Run(name, func(t *testing.T) {
			client := answering(t, test.status, test.body)
			require.Equal(t, test.at, submitted(t, client).Kind)
			client.TireOfRefusals()
			require.Equal(t, test.after, submitted(t, client).Kind)
		})
	}
}

func TestARefusalThatPassedIsForgotten(t *testing.T) {
	var asked atomic.Int32
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 2 { // another answer of the app
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"error":{"type":"full","message":"m"}}`)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"type":"unauthorized","message":"m"}}`)
	})
	require.Equal(t, domain.KindUnavailable, submitted(t, client).Kind)
	require.Equal(t, 1, client.Refusals())
	require.Equal(t, domain.KindFull, submitted(t, client).Kind)
	require.Zero(t, client.Refusals())
	require.Equal(t, domain.KindUnavailable, submitted(t, client).Kind)
}

// TestAWaitThatIsCutIsAskedAgainForLess: request_timeout_s of Serve ends every request with a 408.
func TestAWaitThatIsCutIsAskedAgainForLess(t *testing.T) {
	const limit = 1500 * time.Millisecond
	var longest, cut atomic.Int32
	client := clientOf(t, func(w http.ResponseWriter, request *http.Request) {
		var body struct {
			Seconds float64 `json:"wait_seconds"`
		}
		assertDecodes(t, request.Body, &body)
		wait := time.Duration(body.Seconds * float64(time.Second))
		longest.Store(max(longest.Load(), int32(wait.Milliseconds())))
		time.Sleep(min(wait, limit))
		if wait > limit {
			cut.Add(1)
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusRequestTimeout)
			return
		}
		_, _ = io.WriteString(w, `{"turns":[{"submission_id":"t1","state":"running","incarnation":"i1"}]}`)
	})
	for range 2 {
		seen, err := look(t.Context(), client, handle, 3*time.Second)
		require.NoError(t, err)
		require.Empty(t, seen.Unreachable)
		require.Equal(t, domain.RayRunning, seen.State)
	}
	require.EqualValues(t, 1, cut.Load(), "the second wait is short at once")
	require.Equal(t, ray.BreakerClosed, client.Breaker())
}

// TestAWaitThatIsAlwaysCutNamesTheOption: where even a look is cut, a person must act.
func TestAWaitThatIsAlwaysCutNamesTheOption(t *testing.T) {
	client := answering(t, http.StatusRequestTimeout, "Request timed out", asText...)
	for range 10 {
		seen, err := look(t.Context(), client, handle, time.Second)
		require.NoError(t, err)
		require.Contains(t, seen.Unreachable, "request_timeout_s")
	}
	require.Equal(t, ray.BreakerClosed, client.Breaker(), "somebody is there")
}
