package nats

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"deliberation.io/deliberation/workflows/contract"
)

// offersMost is how many answers of waits may have their text waiting to be sent. An answer has at most 1 MiB of it.
const offersMost = 16

// offers holds text that waits to be sent, and counts the messages that were sent or dropped.
type offers struct {
	waiting       chan []contract.Saying
	sent, dropped atomic.Uint64
}

// Offered counts messages with the text of turns.
type Offered struct{ Sent, Dropped uint64 }

// Offers counts what [Publisher.Offer] was given.
func (p *Publisher) Offers() Offered { return Offered{p.offers.sent.Load(), p.offers.dropped.Load()} }

// Offer sends the text of turns to whoever watches. It never waits: it drops what NATS can't take now.
func (p *Publisher) Offer(said []contract.Saying) {
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

// sendOffer uses core NATS: nobody waits for an acknowledgement. The tokens stream stores the message if it is there. A
// runner that publishes by itself encodes it in the same way.
func (p *Publisher) sendOffer(said contract.Saying) {
	subject := p.prefix + ".tokens." + token(said.DeliberationID) + "." + token(said.AgentID)
	data, err := json.Marshal(said)
	if err == nil {
		data, err = cloudEvent(fmt.Sprintf("%s/%d", said.TurnID, said.Sequence), "tokens", said.DeliberationID, time.Now().UTC(), data)
	}
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
