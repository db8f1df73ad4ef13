package main

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deliberation.io/deliberation/domain"
)

// checkNATS looks at the streams that events go to.
func checkNATS(ctx context.Context) []checked {
	const name = "nats"
	address := os.Getenv("NATS_URL")
	if address == "" {
		return []checked{skipped(name, "NATS_URL is not set here: where it isn't for the workers either, there are no events")}
	}
	options := []nats.Option{nats.Name("starter doctor"), nats.Timeout(lookWithin), nats.NoReconnect()}
	if creds := os.Getenv("NATS_CREDS"); creds != "" {
		options = append(options, nats.UserCredentials(creds))
	}
	if authorities := os.Getenv("NATS_CA"); authorities != "" {
		options = append(options, nats.RootCAs(authorities))
	}
	connection, err := nats.Connect(address, options...)
	if parsing, is := errors.AsType[*url.Error](err); is { // it quotes the address, which may hold a password
		err = parsing.Err
	}
	if err != nil {
		return []checked{broken(name, "start it (locally: make up), or set NATS_URL, NATS_CREDS, NATS_CA", "%s", err)}
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		return []checked{broken(name, "worker --check-config", "%s", err)}
	}
	checks := []checked{well(name, "connected to %s, version %s", connection.ConnectedUrlRedacted(), connection.ConnectedServerVersion())}
	prefix := strings.ToUpper(strings.ReplaceAll(cmp.Or(os.Getenv("DELIBERATION_NATS_PREFIX"), "deliberation"), ".", "_"))
	for _, stream := range []string{prefix + "_EVENTS", prefix + "_TOKENS"} {
		checks = append(checks, checkStream(ctx, connection, js, stream))
	}
	return checks
}

func checkStream(ctx context.Context, connection *nats.Conn, js jetstream.JetStream, name string) checked {
	looking, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	stream, err := js.Stream(looking, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return skipped("nats stream", "%s is not there yet: the first event makes it", name)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return broken("nats stream", "start the server with JetStream: nats-server --jetstream", "%s: %s", name, err)
	case err != nil && errors.Is(connection.LastError(), nats.ErrPermissionViolation): // such a request is never answered
		return skipped("nats stream", "%s: this user may not ask $JS.API.STREAM.INFO.%s, which workers needn't", name, name)
	case err != nil:
		return broken("nats stream", "let this user read it: $JS.API.STREAM.INFO."+name, "%s: %s", name, err)
	}
	info := stream.CachedInfo()
	messages := domain.Count(int(info.State.Msgs), "message") //nolint:gosec // a count for people
	return well("nats stream", "%s has %s on %s", name, messages, strings.Join(info.Config.Subjects, ", "))
}
