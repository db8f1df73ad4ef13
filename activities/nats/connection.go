package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

var _ domain.EventPublisher = (*Publisher)(nil)

// errNoAck means that our own time limit is over. The context's error would look like the caller's.
var errNoAck = errors.New("no answer from JetStream")

// Publisher stores events in JetStream. It is safe for concurrent use.
type Publisher struct {
	conn     *natsgo.Conn
	js       jetstream.JetStream
	prefix   string
	maxBytes int64 // of the events stream if we create it; 0 is no bound
	blamed   func(error) error
	log      *slog.Logger
	health   health
	offers   offers
	closed   chan struct{}
}

// closeWithin bounds how long Close waits for events that are being sent.
const closeWithin = 5 * time.Second

// Connect starts to connect. If the server is away or refuses us, [Publisher.Status] says so, and the client tries to
// connect until Close. Connect returns an error only for a configuration that can't work.
func Connect(config Config) (*Publisher, error) {
	config, options, err := config.completed()
	if err != nil {
		return nil, err
	}
	p := &Publisher{prefix: config.Prefix, maxBytes: config.MaxBytes, blamed: config.blamed, log: config.Logger, offers: offers{waiting: make(chan []contract.Saying, offersMost)}, closed: make(chan struct{})}
	p.conn, err = natsgo.Connect(config.URL, append(options, p.handlers()...)...)
	if err != nil {
		return nil, withoutURL(err)
	}
	if p.js, err = config.jetStream(p.conn); err != nil {
		p.conn.Close()
		return nil, err
	}
	go p.sendOffers()
	return p, nil
}

func (c Config) jetStream(conn *natsgo.Conn) (jetstream.JetStream, error) {
	if c.Domain == "" {
		return jetstream.New(conn)
	}
	return jetstream.NewWithDomain(conn, c.Domain)
}

func (p *Publisher) handlers() []natsgo.Option {
	up := func(conn *natsgo.Conn) {
		p.health.well()
		p.log.Info("nats connected", "server", conn.ConnectedUrlRedacted())
	}
	trouble := func(what string) func(error) {
		return func(err error) {
			if err = p.blamed(err); err != nil && p.health.ill(err) {
				p.log.Warn("nats trouble", "what", what, "error", err)
			}
		}
	}
	down, refused, reported := trouble("disconnected"), trouble("not connected"), trouble("reported by the server")
	return []natsgo.Option{
		natsgo.ConnectHandler(up),
		natsgo.ReconnectHandler(up),
		natsgo.DisconnectErrHandler(func(_ *natsgo.Conn, err error) { down(err) }),
		natsgo.ReconnectErrHandler(func(_ *natsgo.Conn, err error) { refused(err) }),
		natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) { reported(err) }),
		natsgo.ClosedHandler(func(*natsgo.Conn) { close(p.closed) }),
	}
}

// Status describes the connection for people. The error says why there is none, or why the last event wasn't stored.
func (p *Publisher) Status() (string, error) {
	status := p.conn.Status()
	if status == natsgo.CONNECTED {
		return "connected to " + p.conn.ConnectedUrlRedacted(), p.health.err()
	}
	return strings.ToLower(status.String()), p.absence()
}

// absence returns why there is no connection. No handler is called when the first connection is refused.
func (p *Publisher) absence() error {
	if err := p.conn.LastError(); err != nil {
		return p.blamed(err)
	}
	if err := p.health.err(); err != nil {
		return err
	}
	return natsgo.ErrDisconnected
}

// explained turns the end of our own time limit into an error that says so. The server doesn't answer a request that
// isn't permitted; it reports the violation on the connection.
func (p *Publisher) explained(ctx context.Context, err error) error {
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if reported := p.health.err(); errors.Is(reported, natsgo.ErrPermissionViolation) {
		return fmt.Errorf("%w: %w", errNoAck, reported)
	}
	return errNoAck
}

// Close waits for events that are being sent, then disconnects.
func (p *Publisher) Close() {
	if err := p.conn.Drain(); err != nil && !errors.Is(err, natsgo.ErrConnectionClosed) {
		p.log.Debug("nats not drained", "error", err)
	}
	select {
	case <-p.closed:
	case <-time.After(closeWithin):
		p.conn.Close()
	}
}

// health holds the last trouble until something succeeds.
type health struct{ trouble atomic.Pointer[error] }

// ill records a trouble and reports whether it is new: while a server is away, the same trouble comes each second.
func (h *health) ill(err error) bool {
	known := h.trouble.Swap(&err)
	return known == nil || (*known).Error() != err.Error()
}

func (h *health) well() { h.trouble.Store(nil) }

func (h *health) err() error {
	if trouble := h.trouble.Load(); trouble != nil {
		return *trouble
	}
	return nil
}
