package doctor

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deliberation.io/deliberation/domain"
)

// checkNATS looks at the server, and at the streams that events go to.
func (s Settings) checkNATS(ctx context.Context) []Finding {
	const name = "nats"
	if s.NATSURL == "" {
		return []Finding{skipped(name, "NATS_URL is not set here; if the workers have none either, there are no events")}
	}
	connection, err := s.connectNATS()
	if err != nil {
		return []Finding{failed(name, "start it (locally: make up), or set NATS_URL, NATS_CREDS, NATS_CA", "%s", err)}
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		return []Finding{failed(name, "worker --check-config", "%s", err)}
	}
	findings := []Finding{ok(name, "connected to %s, version %s", connection.ConnectedUrlRedacted(), connection.ConnectedServerVersion())}
	prefix := strings.ToUpper(strings.ReplaceAll(s.NATSPrefix, ".", "_"))
	for _, stream := range []string{prefix + "_EVENTS", prefix + "_TOKENS"} {
		findings = append(findings, checkStream(ctx, connection, js, stream))
	}
	return findings
}

func (s Settings) connectNATS() (*nats.Conn, error) {
	options := []nats.Option{nats.Name("starter doctor"), nats.Timeout(within), nats.NoReconnect()}
	if s.NATSCreds != "" {
		options = append(options, nats.UserCredentials(s.NATSCreds))
	}
	if s.NATSCA != "" {
		options = append(options, nats.RootCAs(s.NATSCA))
	}
	connection, err := nats.Connect(s.NATSURL, options...)
	if parsing, is := errors.AsType[*url.Error](err); is { // it quotes the address, which may hold a password
		err = parsing.Err
	}
	return connection, err
}

func checkStream(ctx context.Context, connection *nats.Conn, js jetstream.JetStream, name string) Finding {
	looking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	stream, err := js.Stream(looking, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return skipped("nats stream", "%s is not there yet: the first event makes it", name)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return failed("nats stream", "start the server with JetStream: nats-server --jetstream", "%s: %s", name, err)
	case err != nil && errors.Is(connection.LastError(), nats.ErrPermissionViolation): // the server never answers such a request
		return skipped("nats stream", "%s: this user may not ask $JS.API.STREAM.INFO.%s, and workers needn't", name, name)
	case err != nil:
		return failed("nats stream", "let this user read it: $JS.API.STREAM.INFO."+name, "%s: %s", name, err)
	}
	info := stream.CachedInfo()
	messages := domain.Count(int(info.State.Msgs), "message") //nolint:gosec // a count for people
	return ok("nats stream", "%s has %s on %s", name, messages, strings.Join(info.Config.Subjects, ", "))
}
