// Package livetext follows the text of agents while they write it, from the NATS server that the environment names.
package livetext

import (
	"fmt"

	"github.com/caarlos0/env/v11"

	"deliberation.io/deliberation/activities/nats"
)

// Piece is the next part of what an agent's turn says.
type Piece = nats.Heard

// Follow passes on what the agents of a deliberation say, until it is stopped. It begins with the text that NATS still
// has. Without NATS_URL it does nothing.
func Follow(deliberation string, take func(Piece)) (stop func(), err error) {
	var config nats.Config
	if err := env.Parse(&config); err != nil {
		return func() {}, fmt.Errorf("NATS: %w", err)
	}
	if config.URL == "" {
		return func() {}, nil
	}
	config.Client = "starter watch"
	stop, err = nats.FollowTokens(config, deliberation, take)
	if err != nil {
		return func() {}, err
	}
	return stop, nil
}
