package nats

import (
	"encoding/json"

	natsgo "github.com/nats-io/nats.go"
)

// TokensType is the CloudEvents type of a message with the text of a turn. Runners publish them.
const TokensType = "io.deliberation.tokens.v1"

// Kinds of [Tokens].
const (
	TokensStart    = "start"
	TokensText     = "text"
	TokensComplete = "complete"
)

// Tokens is the next part of what an agent's turn says.
type Tokens struct {
	AgentID  string `json:"agent_id"`
	TurnID   string `json:"submission_id"`
	Phase    string `json:"phase"`
	Round    int    `json:"round"`
	Attempt  int    `json:"attempt"`
	Kind     string `json:"kind"`
	Sequence int    `json:"sequence"` // counts the turn's messages from 1; a gap means that text was dropped
	Tokens   int    `json:"tokens"`   // so far
	Text     string `json:"text"`
}

// FollowTokens passes on what the agents of a deliberation say from now on, until it is stopped. If the server is away,
// it waits for it.
func FollowTokens(config Config, deliberation string, take func(Tokens)) (stop func(), err error) {
	config, err = config.completed()
	if err != nil {
		return nil, err
	}
	options, err := config.options()
	if err != nil {
		return nil, err
	}
	conn, err := natsgo.Connect(config.URL, options...)
	if err != nil {
		return nil, withoutURL(err)
	}
	_, err = conn.Subscribe(config.Prefix+".tokens."+token(deliberation)+".*", func(message *natsgo.Msg) {
		var event struct {
			Type string `json:"type"`
			Data Tokens `json:"data"`
		}
		if json.Unmarshal(message.Data, &event) == nil && event.Type == TokensType {
			take(event.Data)
		}
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn.Close, nil
}
