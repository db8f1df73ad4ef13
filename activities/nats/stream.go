package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	// tokensBytes is small: the server reserves it from its memory.
	tokensBytes = 64 << 20
	// createWithin bounds the wait for an answer: if we lack the permission to ask, the server sends none.
	createWithin = 2 * time.Second

	unbounded = -1
	// requiredBytes bounds the events stream if the account needs a bound and none is configured.
	requiredBytes = 1 << 30
)

// Codes of JetStream errors that have no names in the client.
const (
	storageExceeded        jetstream.ErrorCode = 10047
	maxBytesRequired       jetstream.ErrorCode = 10113
	maxStreamBytesExceeded jetstream.ErrorCode = 10122
)

// createStream creates the stream for an event. JetStream's create never changes an existing stream. Its refusal (the
// name is taken, subjects overlap) shows the obstacle.
func (p *Publisher) createStream(ctx context.Context, kind domain.EventKind) error {
	within, cancel := context.WithTimeout(ctx, createWithin)
	defer cancel()
	config := p.eventsStream()
	if kind.BestEffort() {
		config = p.tokensStream()
	}
	_, err := p.js.CreateStream(within, config)
	if boundRequired(err) {
		config.MaxBytes = requiredBytes
		_, err = p.js.CreateStream(within, config)
	}
	if err == nil {
		p.log.Info("nats stream is there", "stream", config.Name, "max_bytes", config.MaxBytes)
	}
	return p.explained(ctx, tooLarge(err))
}

func boundRequired(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && refusal.ErrorCode == maxBytesRequired
}

// tooLarge names the variable that sets a stream's size, if the account has no room for the size asked for.
func tooLarge(err error) error {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	if ok && (refusal.ErrorCode == storageExceeded || refusal.ErrorCode == maxStreamBytesExceeded) {
		return fmt.Errorf("set DELIBERATION_NATS_MAX_BYTES to what the account has room for: %w", err)
	}
	return err
}

func (p *Publisher) eventsStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        streamName(p.prefix, "EVENTS"),
		Description: "how deliberations went; change it as you like, it is never rewritten",
		Subjects:    []string{p.prefix + ".events.>"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      keepEvents,
		MaxBytes:    cmp.Or(p.maxBytes, unbounded),
		Duplicates:  duplicates,
		Compression: jetstream.S2Compression,
		AllowDirect: true,
	}
}

func (p *Publisher) tokensStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        streamName(p.prefix, "TOKENS"),
		Description: "what agents are saying, for watchers; change it as you like, it is never rewritten",
		Subjects:    []string{p.prefix + ".tokens.>"},
		Storage:     jetstream.MemoryStorage,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      keepTokens,
		MaxBytes:    tokensBytes,
		AllowDirect: true,
	}
}

// streamName is derived from the prefix, so that two installations on one server have streams of their own.
func streamName(prefix, of string) string {
	return strings.ToUpper(strings.ReplaceAll(prefix, ".", "_")) + "_" + of
}
