package nats

import (
	"context"
	"errors"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Look is a connection to inspect NATS. Unlike a [Publisher], it tries to connect once, and changes nothing.
type Look struct {
	conn    *natsgo.Conn
	js      jetstream.JetStream
	streams []string
}

// ErrNotAllowed means that the user may not look at a stream. Publishing events needs no such permission.
var ErrNotAllowed = errors.New("the user may not look at the stream")

// ConnectOnce connects. The error names the variable to look at, if the cause shows which one.
func ConnectOnce(config Config, within time.Duration) (*Look, error) {
	config, options, err := config.completed()
	if err != nil {
		return nil, err
	}
	conn, err := natsgo.Connect(config.URL, append(options,
		natsgo.RetryOnFailedConnect(false), natsgo.NoReconnect(), natsgo.Timeout(within))...)
	if err != nil {
		return nil, config.blamed(withoutURL(err))
	}
	js, err := config.jetStream(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Look{conn: conn, js: js, streams: []string{streamName(config.Prefix, "EVENTS"), streamName(config.Prefix, "TOKENS")}}, nil
}

func (l *Look) Server() (address, version string) {
	return l.conn.ConnectedUrlRedacted(), l.conn.ConnectedServerVersion()
}

// Streams returns the names of the streams that events go to.
func (l *Look) Streams() []string { return l.streams }

// Stream returns a stream's settings and state. The error is [ErrNotAllowed] or JetStream's.
func (l *Look) Stream(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	stream, err := l.js.Stream(ctx, name)
	switch {
	case err != nil && errors.Is(l.conn.LastError(), natsgo.ErrPermissionViolation): // the server never answers such a request
		return nil, ErrNotAllowed
	case err != nil:
		return nil, err
	}
	return stream.CachedInfo(), nil
}

func (l *Look) Close() { l.conn.Close() }
