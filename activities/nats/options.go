package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// reconnectWait is the pause between attempts to connect.
const reconnectWait = time.Second

const (
	// writeWithin bounds a write to the connection. All callers wait for it: also those that ask for the connection's
	// state. The client's own bound is a minute.
	writeWithin = 5 * time.Second
	// pingEvery makes the client notice a silent server after half a minute, since two pings may stay unanswered. The
	// client's own pace makes it six minutes, and each submit and each end of a run would try the server meanwhile.
	pingEvery = 10 * time.Second
)

// options make the client try to connect for ever. If the server is away, or refuses credentials that are about to be
// replaced, the worker needn't be restarted.
func (c Config) options() ([]natsgo.Option, error) {
	options := []natsgo.Option{
		natsgo.Name(c.Client),
		natsgo.RetryOnFailedConnect(true),
		natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(reconnectWait),
		natsgo.IgnoreAuthErrorAbort(),
		natsgo.FlusherTimeout(writeWithin),
		natsgo.PingInterval(pingEvery),
		natsgo.CustomInboxPrefix(c.InboxPrefix),
		// No buffer while disconnected: an event that Publish failed to store must not be sent later.
		natsgo.ReconnectBufSize(-1),
	}
	if c.Creds != "" {
		options = append(options, natsgo.UserCredentials(c.Creds))
	}
	if c.NKey != "" {
		seed, err := natsgo.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("NATS_NKEY: %w", err)
		}
		options = append(options, seed)
	}
	if c.CA != "" {
		options = append(options, natsgo.RootCAs(c.CA))
	}
	if c.Cert != "" {
		options = append(options, natsgo.ClientCert(c.Cert, c.Key))
	}
	return options, nil
}

// blamed adds the variable to look at, if the error shows which one isn't accepted.
func (c Config) blamed(err error) error {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err) // sent by the server
	refused := slices.ContainsFunc([]error{
		natsgo.ErrAuthorization, natsgo.ErrAuthExpired, natsgo.ErrAuthRevoked, natsgo.ErrAccountAuthExpired,
	}, func(refusal error) bool { return errors.Is(err, refusal) })
	switch {
	case untrusted:
		return fmt.Errorf("the server's certificate isn't of NATS_CA: %w", err)
	case (alert || closedAfterHandshake(err)) && c.Cert != "":
		return fmt.Errorf("the server ended the connection, as it does if it refuses NATS_CERT: %w", err)
	case alert || closedAfterHandshake(err):
		return fmt.Errorf("the server ended the connection, as it does if it wants a client certificate, and NATS_CERT is not set: %w", err)
	case errors.Is(err, natsgo.ErrPermissionViolation) && strings.Contains(err.Error(), "Subscription to"):
		return fmt.Errorf("answers can't be received; let the user subscribe to %s.>, or set NATS_INBOX_PREFIX: %w", c.InboxPrefix, err)
	case refused && c.Creds != "":
		return fmt.Errorf("the server refuses NATS_CREDS: %w", err)
	case refused && c.NKey != "":
		return fmt.Errorf("the server refuses NATS_NKEY: %w", err)
	case refused:
		return fmt.Errorf("the server refuses the user of NATS_URL, and NATS_CREDS is not set: %w", err)
	}
	return err
}

// closedAfterHandshake reports whether the server closed the connection right after the TLS handshake. With TLS 1.3 a
// client often learns in no other way that its certificate is refused.
func closedAfterHandshake(err error) bool {
	return errors.Is(err, natsgo.ErrTLS) && strings.Contains(err.Error(), "after TLS handshake")
}

// withoutURL drops the URL that net/url quotes: it may hold a password.
func withoutURL(err error) error {
	if parsing, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("nats: url: %w", parsing.Err)
	}
	return err
}
