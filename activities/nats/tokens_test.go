package nats_test

import (
	"testing"

	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
)

func TestFollowTokens_PassesOnWhatOneDeliberationSays(t *testing.T) {
	srv := serve(t, options(t, nil))
	heard := make(chan nats.Tokens, 10_000)
	stop, err := nats.FollowTokens(nats.Config{URL: srv.ClientURL()}, "plan.7", func(said nats.Tokens) { heard <- said })
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
			{subject, `{"type":"io.deliberation.tokens.v1","data":{"agent_id":"qa","submission_id":"t1","phase":"review","round":1,
				"attempt":2,"kind":"text","sequence":3,"tokens":9,"text":"Hello"}}`},
		} {
			require.NoError(t, conn.Publish(message[0], []byte(message[1])))
		}
		return len(heard) > 0
	}, patience, often)
	require.Equal(t, nats.Tokens{
		AgentID: "qa", TurnID: "t1", Phase: "review", Round: 1, Attempt: 2, Kind: nats.TokensText, Sequence: 3, Tokens: 9, Text: "Hello",
	}, <-heard)
}
