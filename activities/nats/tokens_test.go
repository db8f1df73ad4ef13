package nats_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func TestFollowTokens_PassesOnWhatOneDeliberationSays(t *testing.T) {
	srv := serve(t, options(t, nil))
	heard := make(chan nats.Heard, 10_000)
	stop, err := nats.FollowTokens(nats.Config{URL: srv.ClientURL()}, "plan.7", func(said nats.Heard) { heard <- said })
	require.NoError(t, err)
	defer stop()
	conn, err := natsgo.Connect(srv.ClientURL())
	require.NoError(t, err)
	defer conn.Close()
	const subject = "deliberation.tokens.plan%2E7.qa"
	require.Eventually(t, func() bool { // the subscription may come after the first of these
		for _, message := range [][2]string{
			{"deliberation.tokens.other.qa", `{"type":"io.deliberation.tokens.v1","data":{"text":"of another one"}}`},
			{subject + ".more", `{"type":"io.deliberation.tokens.v1","data":{"text":"of no agent"}}`},
			{subject, `{"type":"io.deliberation.stream_start.v1","data":{"text":"of another kind"}}`},
			{subject, `not JSON`},
			{subject, `{"type":"io.deliberation.tokens.v1","time":"2026-11-01T12:00:00.25Z","data":{"agent_id":"qa","submission_id":"t1",
				"phase":"review","round":1,"attempt":2,"kind":"text","sequence":3,"tokens":9,"text":"Hello"}}`},
		} {
			require.NoError(t, conn.Publish(message[0], []byte(message[1])))
		}
		return len(heard) > 0
	}, patience, often)
	require.Equal(t, nats.Heard{
		Saying: contract.Saying{
			AgentID: "qa", TurnID: "t1", Phase: "review", Round: 1, Attempt: 2, Kind: "text", Sequence: 3, Tokens: 9, Text: "Hello",
		},
		At: time.Date(2026, 11, 1, 12, 0, 0, 250_000_000, time.UTC),
	}, <-heard)
	require.Empty(t, heard, "each message comes once")
}

// saying is the n-th message of a turn.
func saying(turn domain.TurnID, sequence int) []contract.Saying {
	return []contract.Saying{{DeliberationID: "d-1", AgentID: "qa", TurnID: turn, Kind: "text", Sequence: sequence, Text: fmt.Sprint(sequence)}}
}

// listen follows a deliberation, and keeps what comes as turn/sequence.
func listen(t *testing.T, config nats.Config) <-chan string {
	t.Helper()
	heard := make(chan string, 100_000)
	stop, err := nats.FollowTokens(config, "d-1", func(said nats.Heard) { heard <- fmt.Sprintf("%s/%d", said.TurnID, said.Sequence) })
	require.NoError(t, err)
	t.Cleanup(stop)
	return heard
}

func next(t *testing.T, heard <-chan string) string {
	t.Helper()
	select {
	case said := <-heard:
		return said
	case <-time.After(patience):
		require.Fail(t, "nothing comes")
		return ""
	}
}

func TestWhoeverComesLateHearsWhatWasSaidBefore(t *testing.T) {
	srv, publisher, js := started(t)
	require.NoError(t, publish(t.Context(), publisher, []domain.Event{news(1, domain.EventStreamStart)})) // makes the stream
	const before = 500
	var said []contract.Saying
	for n := range before {
		said = append(said, saying("t1", n+1)...)
	}
	publisher.Offer(said)
	require.Eventually(t, func() bool { return len(stored(t, js, "DELIBERATION_TOKENS")) == before+1 }, patience, often)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // goes on while the watcher comes
		defer close(done)
		for n := before + 1; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				publisher.Offer(saying("t1", n))
			}
		}
	}()
	heard := listen(t, nats.Config{URL: srv.ClientURL()})
	for n := range 2 * before {
		require.Equal(t, fmt.Sprintf("t1/%d", n+1), next(t, heard), "all that was said, once and in order")
	}
	close(stop)
	<-done
}

func TestAWatcherThatMayNotReadTheStreamHearsWhatComes(t *testing.T) {
	for name, deny := range map[string][]string{"no stream": nil, "no permission": {"$JS.API.CONSUMER.>"}} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, options(t, func(o *server.Options) {
				o.Users = []*server.User{
					{Username: "worker", Password: "w"},
					{Username: "watcher", Password: "w", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: deny}}},
				}
			}))
			as := func(user string) nats.Config {
				return nats.Config{URL: "nats://" + user + ":w@" + strings.TrimPrefix(srv.ClientURL(), "nats://")}
			}
			publisher := connect(t, as("worker"))
			require.Eventually(t, func() bool { _, err := publisher.Status(); return err == nil }, patience, often)
			if deny != nil {
				require.NoError(t, publish(t.Context(), publisher, []domain.Event{news(1, domain.EventStreamStart)}))
			}
			heard := listen(t, as("watcher"))
			n := 0
			require.Eventually(t, func() bool {
				n++
				publisher.Offer(saying("t1", n))
				return len(heard) > 0
			}, patience, often)
		})
	}
}

func TestAServerThatComesLaterIsHeard(t *testing.T) {
	first := serve(t, options(t, nil))
	port := first.Addr().(*net.TCPAddr).Port
	stop(first)
	config := nats.Config{URL: fmt.Sprintf("nats://127.0.0.1:%d", port)}
	heard := listen(t, config)
	publisher := connect(t, config)
	serve(t, options(t, func(o *server.Options) { o.Port = port }))
	n := 0
	require.Eventually(t, func() bool {
		n++
		publisher.Offer(saying("t1", n))
		return len(heard) > 0
	}, patience, often)
}
