package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deliberation.io/deliberation/domain"
)

const (
	// ackWithin leaves room for a stream's creation and a second try within an attempt of PublishEvents.
	ackWithin = 3 * time.Second
	// offerWithin bounds the time that best-effort events may cost a batch.
	offerWithin = time.Second
)

var (
	errMalformed = errors.New("data is not JSON")
	errSubject   = errors.New("the ids are too long for a subject")
	errAway      = errors.New("not connected")
)

// Publish stores events one after the other, and waits for each acknowledgement. After an error, the events before the
// failed one are stored, and the failed one may be stored too. The caller publishes all of them again.
func (p *Publisher) Publish(ctx context.Context, events []domain.Event) (domain.Publication, error) {
	var done domain.Publication
	offers, cancel := context.WithTimeout(ctx, offerWithin)
	defer cancel()
	for _, event := range events {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		if !event.Kind.BestEffort() {
			stored, err := p.store(ctx, event)
			if err != nil {
				return done, p.failed(ctx, event, err)
			}
			done = done.Plus(stored)
			continue
		}
		offered, err := p.store(offers, event)
		if err != nil {
			cancel() // if one is refused, skip the rest: they would time out one by one
			p.log.Debug("event dropped", "event_id", event.ID, "event", string(event.Kind), "error", err)
			offered.Dropped = 1
		}
		done = done.Plus(offered)
	}
	return done, nil
}

// store publishes an event, in its short form if the whole doesn't fit. It skips an event that no stream can ever
// store: trying again would block the events after it for ever.
func (p *Publisher) store(ctx context.Context, event domain.Event) (domain.Publication, error) {
	whole := len(event.Data)
	done, err := p.publish(ctx, event)
	if unfit(err) && len(event.ShortForm) > 0 && len(event.ShortForm) < whole {
		event.Data = event.ShortForm
		if done, err = p.publish(ctx, event); err == nil {
			p.log.Warn("event shortened to fit", "event_id", event.ID, "bytes", whole)
		}
	}
	if unfit(err) {
		p.log.Error("event skipped, nothing takes it", "event_id", event.ID, "bytes", whole, "error", err)
		return domain.Publication{Dropped: 1}, nil
	}
	return done, err
}

func unfit(err error) bool {
	return errors.Is(err, natsgo.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) ||
		errors.Is(err, errMalformed) || errors.Is(err, errSubject)
}

// publish tries to store the event. Only if no stream answers, it creates the stream and tries again, so that it
// usually needs no other permission and no further request. Silence counts as well: if there is a plain subscriber of
// the subject, the server doesn't report that no stream takes it.
func (p *Publisher) publish(ctx context.Context, event domain.Event) (domain.Publication, error) {
	var none domain.Publication
	data, err := cloudEvent(event.ID, string(event.Kind), event.DeliberationID, event.At, event.Data)
	if err != nil {
		return none, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if len(p.subject(event)) > maxSubject {
		return none, errSubject
	}
	message := &natsgo.Msg{
		Subject: p.subject(event), Data: data, Header: natsgo.Header{"Content-Type": {contentType}},
	}
	done, err := p.send(ctx, message, jetstream.WithMsgID(event.ID), jetstream.WithRetryAttempts(0))
	if !errors.Is(err, jetstream.ErrNoStreamResponse) && !errors.Is(err, errNoAck) {
		return done, err
	}
	created := p.createStream(ctx, event.Kind)
	// Try even if that failed: another worker may just have created the stream, or the stream has found its leader.
	done, err = p.send(ctx, message, jetstream.WithMsgID(event.ID))
	if err != nil && created != nil {
		return none, fmt.Errorf("%w; no stream created: %w", err, created)
	}
	return done, err
}

func (p *Publisher) send(ctx context.Context, message *natsgo.Msg, options ...jetstream.PublishOpt) (domain.Publication, error) {
	if !p.conn.IsConnected() {
		return domain.Publication{}, fmt.Errorf("%w: %w", errAway, p.absence())
	}
	within, cancel := context.WithTimeout(ctx, ackWithin)
	defer cancel()
	ack, err := p.js.PublishMsg(within, message, options...)
	if err != nil {
		return domain.Publication{}, p.explained(ctx, err)
	}
	p.health.well()
	if ack.Duplicate {
		return domain.Publication{Duplicate: 1}, nil
	}
	return domain.Publication{Stored: 1}, nil
}

func (p *Publisher) failed(ctx context.Context, event domain.Event, err error) error {
	if gone := ctx.Err(); gone != nil {
		return gone
	}
	failure := &domain.Error{Kind: domain.KindPublish, Op: "publish " + p.subject(event), Err: err}
	if !errors.Is(err, errAway) { // health has that error already: the text would grow with each event
		p.health.ill(failure)
	}
	return failure
}

const (
	source = "/deliberations"
	// contentType shows a receiver that the event is in structured form.
	contentType = "application/cloudevents+json; charset=utf-8"
)

// cloudEvent encodes news of a deliberation in CloudEvents' structured JSON.
func cloudEvent(id, kind, deliberation string, at time.Time, data json.RawMessage) ([]byte, error) {
	encoded := event.New()
	encoded.SetID(id)
	encoded.SetType("io.deliberation." + kind + ".v1")
	encoded.SetSource(source)
	encoded.SetSubject(deliberation)
	encoded.SetTime(at)
	if err := encoded.SetData(event.ApplicationJSON, data); err != nil {
		return nil, err
	}
	return encoded.MarshalJSON()
}

// subject returns where an event goes: best-effort events to the tokens of their agent, all others to the events.
func (p *Publisher) subject(event domain.Event) string {
	if event.Kind.BestEffort() {
		return p.prefix + ".tokens." + token(event.DeliberationID) + "." + token(event.AgentID)
	}
	return p.prefix + ".events." + token(event.DeliberationID) + "." + token(string(event.Kind))
}

// emptyToken stands for the empty text, since a token can't be empty. No encoded text is a lone percent sign.
const emptyToken = "%"

// token percent-encodes an id, so that it is one token of a subject and different ids stay different. It encodes
// everything but visible ASCII: NATS would take more, but clients and shells spoil it.
func token(id string) string {
	if id == "" {
		return emptyToken
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune(".*>%", rune(c)) {
			b.WriteByte(c)
			continue
		}
		b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
	}
	return b.String()
}
