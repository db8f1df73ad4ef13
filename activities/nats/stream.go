package nats

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deliberation.io/deliberation/domain"
)

const (
	// duplicates is the window in which a repeated event is stored once.
	duplicates = time.Hour
	keepEvents = 30 * 24 * time.Hour
	keepTokens = 15 * time.Minute
	// tokensBytes is little, since a memory stream is reserved from what the server may use.
	tokensBytes = 64 << 20
	// createWithin bounds the wait for an answer that a lack of permission keeps from coming.
	createWithin = 2 * time.Second
)

// createStream makes the stream that takes an event, if there is none: JetStream's create never touches
// a stream that exists, and its refusal (the name is taken, subjects overlap) shows what is in the way.
func (p *Publisher) createStream(ctx context.Context, kind domain.EventKind) error {
	within, cancel := context.WithTimeout(ctx, createWithin)
	defer cancel()
	config := p.eventsStream()
	if kind.BestEffort() {
		config = p.tokensStream()
	}
	_, err := p.js.CreateStream(within, config)
	if err == nil {
		p.log.Info("nats stream is there", "stream", config.Name)
	}
	return p.explained(ctx, err)
}

func (p *Publisher) eventsStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        p.streamName("EVENTS"),
		Description: "what became of deliberations; change it at will, it is never rewritten",
		Subjects:    []string{p.prefix + ".events.>"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      keepEvents,
		Duplicates:  duplicates,
		Compression: jetstream.S2Compression,
		AllowDirect: true,
	}
}

func (p *Publisher) tokensStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        p.streamName("TOKENS"),
		Description: "what agents are saying, for watchers; change it at will, it is never rewritten",
		Subjects:    []string{p.prefix + ".tokens.>"},
		Storage:     jetstream.MemoryStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      keepTokens,
		MaxBytes:    tokensBytes,
		AllowDirect: true,
	}
}

// streamName derives from the prefix, so that two installations on one server have streams of their own.
func (p *Publisher) streamName(of string) string {
	return strings.ToUpper(strings.ReplaceAll(p.prefix, ".", "_")) + "_" + of
}
