package ray_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestStopAsksAgainWhileATurnIsEnding(t *testing.T) {
	var asked atomic.Int32
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		state := `"state":"running"`
		if asked.Add(1) == 3 {
			state = `"state":"cancelled","error":{"type":"Cancelled","message":"deadline"}`
		}
		_, _ = fmt.Fprintf(w, `{"turns":[{"submission_id":"t1","incarnation":"i1",%s}]}`, state)
	})
	seen, err := client.Stop(t.Context(), domain.StopOrder{Handles: []domain.Handle{handle}})
	require.NoError(t, err)
	require.Equal(t, domain.RayCancelled, seen[0].State)
	require.EqualValues(t, 3, asked.Load())
}

// TestAStopReadsWhatWasLeftOut: an answer that would be too long names the turns that it leaves out.
func TestAStopReadsWhatWasLeftOut(t *testing.T) {
	var asked [][]domain.TurnID
	client := clientOf(t, func(w http.ResponseWriter, request *http.Request) {
		var body struct {
			Turns []struct {
				ID domain.TurnID `json:"submission_id"`
			} `json:"turns"`
		}
		assertDecodes(t, request.Body, &body)
		var ids []domain.TurnID
		for _, turn := range body.Turns {
			ids = append(ids, turn.ID)
		}
		asked = append(asked, ids)
		left, err := json.Marshal(append([]domain.TurnID{}, ids[1:]...))
		if err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprintf(w, `{"turns":[{"submission_id":%q,"state":"completed","incarnation":"i1","result":{"text":%q}}],"left":%s}`,
			ids[0], "answer of "+string(ids[0]), left)
	})
	handles := []domain.Handle{{TurnID: "t1"}, {TurnID: "t2"}, {TurnID: "t3"}}
	seen, err := client.Stop(t.Context(), domain.StopOrder{Handles: handles})
	require.NoError(t, err)
	for i, handle := range handles {
		require.Equal(t, handle.TurnID, seen[i].TurnID)
		require.Equal(t, "answer of "+string(handle.TurnID), seen[i].Completion.Text)
	}
	require.Equal(t, [][]domain.TurnID{{"t1", "t2", "t3"}, {"t2", "t3"}, {"t3"}}, asked)
}

// TestAnAnswerThatCouldNotBeReadInTimeIsUnreachable, never stopped.
func TestAnAnswerThatCouldNotBeReadInTimeIsUnreachable(t *testing.T) {
	asked := 0
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if asked > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"turns":[{"submission_id":"t1","state":"completed","incarnation":"i1","result":{"text":"good"}}],"left":["t2"]}`)
	})
	seen, err := client.Stop(t.Context(), domain.StopOrder{Handles: []domain.Handle{{TurnID: "t1"}, {TurnID: "t2"}}})
	require.NoError(t, err)
	require.Equal(t, "good", seen[0].Completion.Text)
	require.Equal(t, "local: its answer could not be read in time", seen[1].Unreachable)
}

func TestStopNeverCallsRunningStopped(t *testing.T) {
	client := answering(t, 200, `{"turns":[{"submission_id":"t1","state":"running","incarnation":"i1"}]}`)
	client.Hurry(3 * time.Second)
	seen, err := client.Stop(t.Context(), domain.StopOrder{Handles: []domain.Handle{handle}})
	require.NoError(t, err)
	require.Equal(t, domain.RayRunning, seen[0].State)
}

func TestAStopThatIsHeldUpSaysWhatItKnows(t *testing.T) {
	asked := 0
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if asked > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"turns":[
			{"submission_id":"t1","state":"running","incarnation":""},
			{"submission_id":"t2","state":"completed","incarnation":"i1","result":{"text":"good"}}]}`)
	})
	seen, err := client.Stop(t.Context(), domain.StopOrder{Handles: []domain.Handle{{TurnID: "t1"}, {TurnID: "t2"}}})
	require.NoError(t, err)
	require.Equal(t, 2, asked)
	require.Equal(t, "good", seen[1].Completion.Text)
}

func TestManyTurnsAreEndedInSeveralRequests(t *testing.T) {
	c := newCouncil(t, openStandIn(t), 1)
	handles := make([]domain.Handle, 0, 1500)
	for n := range cap(handles) {
		handles = append(handles, domain.Handle{TurnID: c.attempt(n + 1).Asks[0].TurnID})
	}
	require.NoError(t, c.Forget(t.Context(), c.order(handles...)))
	for i, seen := range c.stop(t, handles...) {
		require.Equal(t, handles[i].TurnID, seen.TurnID)
		require.Equal(t, domain.RayCancelled, seen.State)
	}
	seen, err := c.Stop(t.Context(), c.order())
	require.NoError(t, err)
	require.Empty(t, seen)
}
