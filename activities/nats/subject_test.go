package nats

import (
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestToken_EncodesWhatASubjectForbids(t *testing.T) {
	for text, want := range map[string]string{
		"":              "%",
		"qa-1":          "qa-1",
		"plan/7:x_Y$":   "plan/7:x_Y$",
		"a.b":           "a%2Eb",
		"*":             "%2A",
		">":             "%3E",
		"100%":          "100%25",
		"%":             "%25",
		"a b\tc\r\nd":   "a%20b%09c%0D%0Ad",
		"\x00\x7f":      "%00%7F",
		"müll":          "m%C3%BCll",
		"invalid \xff.": "invalid%20%FF%2E",
	} {
		require.Equal(t, want, token(text), "%q", text)
	}
}

func TestToken_IsOneTokenAndCanBeDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune(".*>% \tx\x00é")))).Draw(t, "text")
		encoded := token(text)
		require.Equal(t, text, decoded(t, encoded))
		require.True(t, server.IsValidLiteralSubject("p.events."+encoded+".started"), encoded)
		require.True(t, server.SubjectsCollide("p.events.*.started", "p.events."+encoded+".started"), encoded)
		require.True(t, utf8.ValidString(encoded))
	})
}

// decoded does what a consumer does. Any percent-decoder works, except for the empty text.
func decoded(t require.TestingT, token string) string {
	if token == emptyToken {
		return ""
	}
	text, err := url.PathUnescape(token)
	require.NoError(t, err)
	return text
}

func TestSubject_IsOfTheEventOrOfItsAgent(t *testing.T) {
	publisher := &Publisher{prefix: "deliberation"}
	event := domain.Event{Kind: domain.EventStarted, DeliberationID: "plan.7", AgentID: "q a"}
	require.Equal(t, "deliberation.events.plan%2E7.started", publisher.subject(event))
	event.Kind = domain.EventStreamStart
	require.Equal(t, "deliberation.tokens.plan%2E7.q%20a", publisher.subject(event))
}
