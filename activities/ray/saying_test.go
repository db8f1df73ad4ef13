package ray_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

const running = `{"submission_id":"t1","incarnation":"i1","state":"running","progress":{"tokens":1,"characters":4}}`

// listenerOf is a client that hears what an app of a test says.
func listenerOf(t *testing.T, heard *ear, app http.HandlerFunc) *ray.Client {
	t.Helper()
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	config := ray.Config{Name: "local", URL: server.URL + "/deliberation", Token: "secret"}
	if heard != nil {
		config.Heard = heard.hear
	}
	return newClient(t, config)
}

func TestAnAnswerOfNothingButTextDoesntEndTheWait(t *testing.T) {
	var asked atomic.Int32
	heard := &ear{}
	client := listenerOf(t, heard, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			_, _ = io.WriteString(w, `{"turns":[],"left":[],"texts":[{"submission_id":"t1","text":"Hello"},{"submission_id":"of another caller","text":"no"}]}`)
			return
		}
		_, _ = io.WriteString(w, `{"turns":[`+running+`],"left":[],"texts":[]}`)
	})
	begun := time.Now()
	seen, err := client.Await(t.Context(), []domain.Handle{handle}, 20*time.Second)
	require.NoError(t, err)
	require.Len(t, seen, 1)
	require.Equal(t, int32(3), asked.Load())
	require.GreaterOrEqual(t, time.Since(begun), 200*time.Millisecond, "an app in a hurry isn't flooded")
	require.Len(t, heard.said("t1"), 2)
	require.Empty(t, heard.said("of another caller"))
}

func TestTextIsOnlyAskedForWhereSomebodyTakesIt(t *testing.T) {
	var body atomic.Value
	app := func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body.Store(string(text))
		_, _ = io.WriteString(w, `{"turns":[`+running+`],"left":[]}`)
	}
	_, err := listenerOf(t, nil, app).Await(t.Context(), []domain.Handle{handle}, 0)
	require.NoError(t, err)
	require.NotContains(t, body.Load(), "text_seconds")
	_, err = listenerOf(t, &ear{}, app).Await(t.Context(), []domain.Handle{handle}, 0)
	require.NoError(t, err)
	require.Contains(t, body.Load(), `"text_seconds":0.5`)
}

func TestTextThatCantBeReadHidesNoTurn(t *testing.T) {
	client := listenerOf(t, &ear{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"turns":[`+running+`],"left":[],"texts":[{"sequence":"seven"}]}`)
	})
	seen, err := client.Await(t.Context(), []domain.Handle{handle}, time.Second)
	require.NoError(t, err)
	require.Len(t, seen, 1)
}

func TestAWaitWithoutTimeIsntAnsweredWithTextAlone(t *testing.T) {
	client := listenerOf(t, &ear{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"turns":[],"left":[],"texts":[{"submission_id":"t1","text":"Hello"}]}`)
	})
	_, err := client.Await(t.Context(), []domain.Handle{handle}, 0)
	require.Equal(t, domain.KindUnreachable, kindOf(t, err))
	require.ErrorContains(t, err, "without any of the turns")
}
