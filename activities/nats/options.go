package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// reconnectWait is the pause between attempts to connect.
const reconnectWait = time.Second

// options keep the connection trying for ever. A server that is away, or that refuses credentials which are about to be
// replaced, is no reason to restart the worker.
func (c Config) options() ([]natsgo.Option, error) {
	options := []natsgo.Option{
		natsgo.Name(c.Client),
		natsgo.RetryOnFailedConnect(true),
		natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(reconnectWait),
		natsgo.IgnoreAuthErrorAbort(),
		// No buffer while disconnected: an event that Publish failed to store must not be sent later.
		natsgo.ReconnectBufSize(-1),
	}
	if c.Creds != "" {
		file, err := os.Open(c.Creds)
		if err != nil {
			return nil, fmt.Errorf("nats: credentials: %w", err)
		}
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("nats: credentials: %w", err)
		}
		options = append(options, natsgo.UserCredentials(c.Creds))
	}
	if c.CA != "" {
		options = append(options, natsgo.RootCAs(c.CA))
	}
	return options, nil
}

// blamed names the variable to look at, if an error shows which one isn't accepted.
func (c Config) blamed(err error) error {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	refused := slices.ContainsFunc([]error{
		natsgo.ErrAuthorization, natsgo.ErrAuthExpired, natsgo.ErrAuthRevoked, natsgo.ErrAccountAuthExpired,
	}, func(refusal error) bool { return errors.Is(err, refusal) })
	switch {
	case untrusted:
		return fmt.Errorf("the server's certificate isn't of NATS_CA: %w", err)
	case refused && c.Creds != "":
		return fmt.Errorf("the server refuses NATS_CREDS: %w", err)
	case refused:
		return fmt.Errorf("the server refuses the user of NATS_URL, and NATS_CREDS is not set: %w", err)
	}
	return err
}

// withoutURL drops the URL that net/url quotes: it may hold a password.
func withoutURL(err error) error {
	if parsing, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("nats: url: %w", parsing.Err)
	}
	return err
}
