package nats

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	natsgo "github.com/nats-io/nats.go"

	"deliberation.io/deliberation/domain"
)

// offersMost is how many answers of waits may have their text waiting to be sent. An answer has at most 1 MiB of it.
const offersMost = 16

// offers holds text that waits to be sent, and counts the messages that were sent or dropped.
type offers struct {
	waiting       chan []domain.Saying
	sent, dropped atomic.Uint64
}

// Offered counts messages with the text of turns.
type Offered struct{ Sent, Dropped uint64 }

// Offers counts what [Publisher.Offer] was given.
func (p *Publisher) Offers() Offered { return Offered{p.offers.sent.Load(), p.offers.dropped.Load()} }

// Offer sends the text of turns to whoever watches. It never waits: it drops what NATS can't take now.
func (p *Publisher) Offer(said []domain.Saying) {
	select {
	case p.offers.waiting <- said:
	default:
		p.offers.dropped.Add(uint64(len(said)))
	}
}

func (p *Publisher) sendOffers() {
	for {
		select {
		case said := <-p.offers.waiting:
			for _, message := range said {
				p.sendOffer(message)
			}
		case <-p.closed:
			return
		}
	}
}

// sendOffer uses core NATS: nobody waits for an acknowledgement. The tokens stream stores the message if it is there.
func (p *Publisher) sendOffer(said domain.Saying) {
	subject := p.prefix + ".tokens." + token(said.DeliberationID) + "." + token(said.AgentID)
	data, err := tokensEvent(said)
	switch {
	case err == nil && len(subject) > maxSubject:
		err = errSubject
	case err == nil:
		err = p.conn.PublishMsg(&natsgo.Msg{Subject: subject, Data: data})
	}
	if err != nil {
		p.offers.dropped.Add(1)
		return
	}
	p.offers.sent.Add(1)
}

// tokensEvent encodes the message as a runner does that publishes by itself.
func tokensEvent(said domain.Saying) ([]byte, error) {
	data, err := json.Marshal(tokens(said))
	if err != nil {
		return nil, err
	}
	encoded := event.New()
	encoded.SetID(fmt.Sprintf("%s/%d", said.TurnID, said.Sequence))
	encoded.SetType(TokensType)
	encoded.SetSource(source)
	encoded.SetSubject(said.DeliberationID)
	encoded.SetTime(time.Now().UTC())
	if err := encoded.SetData(event.ApplicationJSON, json.RawMessage(data)); err != nil {
		return nil, err
	}
	return encoded.MarshalJSON()
}
