package nats

import (
	"strings"

	"deliberation.io/deliberation/domain"
)

// subject returns where an event goes: best-effort events to the tokens of their agent, all others to the events.
func (p *Publisher) subject(event domain.Event) string {
	if event.Kind.BestEffort() {
		return p.prefix + ".tokens." + token(event.DeliberationID) + "." + token(event.AgentID)
	}
	return p.prefix + ".events." + token(event.DeliberationID) + "." + token(string(event.Kind))
}

// emptyToken stands for the empty text, since a token can't be empty. No encoded text is a lone percent sign.
const emptyToken = "%"

// token percent-encodes an id, so that it is one token of a subject and different ids stay different. It encodes
// everything but visible ASCII: NATS would take more, but clients and shells spoil it.
func token(id string) string {
	if id == "" {
		return emptyToken
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune(".*>%", rune(c)) {
			b.WriteByte(c)
			continue
		}
		b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
	}
	return b.String()
}
