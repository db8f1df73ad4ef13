package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
)

// checkNATS looks at the server, and at the streams that events go to.
func (s Settings) checkNATS(ctx context.Context) []Finding {
	const name = "nats"
	if s.NATS.URL == "" {
		return []Finding{skipped(name, "NATS_URL is not set here; if the workers have none either, there are no events")}
	}
	s.NATS.Client = "starter doctor"
	seen, err := nats.ConnectOnce(s.NATS, within)
	if err != nil {
		return []Finding{failed(name, "start it (locally: make up), or set the NATS_* variables as for the workers", "%s", err)}
	}
	defer seen.Close()
	address, version := seen.Server()
	findings := []Finding{ok(name, "connected to %s, version %s", address, version)}
	for _, stream := range seen.Streams() {
		findings = append(findings, checkStream(ctx, seen, stream))
	}
	return findings
}

func checkStream(ctx context.Context, seen *nats.Look, stream string) Finding {
	const name = "nats stream"
	looking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	info, err := seen.Stream(looking, stream)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return skipped(name, "%s is not there yet: the first event makes it", stream)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return failed(name, "start the server with JetStream: nats-server --jetstream", "%s: %s", stream, err)
	case errors.Is(err, nats.ErrNotAllowed):
		return skipped(name, "%s: this user may not ask $JS.API.STREAM.INFO.%s, and workers needn't", stream, stream)
	case err != nil:
		return failed(name, "let this user read it: $JS.API.STREAM.INFO."+stream, "%s: %s", stream, err)
	}
	messages := domain.Count(int(info.State.Msgs), "message") //nolint:gosec // a count for people
	return ok(name, "%s has %s on %s", stream, messages, strings.Join(info.Config.Subjects, ", "))
}
