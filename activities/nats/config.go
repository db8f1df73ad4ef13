package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// DefaultPrefix begins the subjects, and in upper case the names of our streams.
const DefaultPrefix = "deliberation"

// Config says where NATS is, and who we are to it.
type Config struct {
	URL    string       // one or more servers, separated by commas
	Creds  string       // a .creds file, read again at each connection; optional
	CA     string       // a PEM file with the authorities to trust; optional
	Prefix string       // of the subjects; [DefaultPrefix] when empty
	Name   string       // shown in the server's list of connections; "deliberation" when empty
	Logger *slog.Logger // silence when nil
}

// reconnectWait is the pause between attempts: the outbox and the next event wait for no less.
const reconnectWait = time.Second

// maxPrefix keeps the longest subject under a server's max_control_line of 4 KiB: a deliberation's id
// has at most 1,000 bytes, an agent's 200, and encoding makes three of one.
const maxPrefix = 200

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func (c Config) completed() (Config, error) {
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Name == "" {
		c.Name = "deliberation"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := CheckPrefix(c.Prefix); err != nil {
		return c, fmt.Errorf("nats: prefix %q: %w", c.Prefix, err)
	}
	return c, nil
}

// CheckPrefix tells what is wrong with a prefix of subjects.
func CheckPrefix(prefix string) error {
	if len(prefix) > maxPrefix || !prefixPattern.MatchString(prefix) {
		return fmt.Errorf("must be up to %d letters, digits, '-' and '_', in parts joined by dots", maxPrefix)
	}
	return nil
}

// options keep a connection trying for ever: a server that is away, or that refuses credentials which
// are about to be replaced, is no reason to restart the worker.
func (c Config) options() ([]natsgo.Option, error) {
	options := []natsgo.Option{
		natsgo.Name(c.Name),
		natsgo.RetryOnFailedConnect(true),
		natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(reconnectWait),
		natsgo.IgnoreAuthErrorAbort(),
		// No buffer while disconnected: what the caller was told isn't stored must not be sent later.
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

// blamed names the variable to look at, where an error shows which one isn't accepted.
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

// withoutURL drops the URL that net/url quotes, since it may hold a password.
func withoutURL(err error) error {
	if parsing, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("nats: url: %w", parsing.Err)
	}
	return err
}
