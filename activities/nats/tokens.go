package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// TokensType is the CloudEvents type of a message with the text of a turn.
const TokensType = "io.deliberation.tokens.v1"

const (
	// liveMost is how many messages may wait to be passed on; more are dropped.
	liveMost = 64 * 1024
	// replayWithin bounds how long a watcher waits for what was said before it came.
	replayWithin = 10 * time.Second
)

// Heard is what an agent said, and when it was sent.
type Heard struct {
	contract.Saying

	At time.Time
}

// FollowTokens passes on what the agents of a deliberation say, until it is stopped: first what the tokens stream still
// has, then what comes. It passes on each message once, and a turn's messages in their order. If the server is away, it
// waits for it. If the stream is missing, or may not be read, only what comes is passed on.
func FollowTokens(config Config, deliberation string, take func(Heard)) (stop func(), err error) {
	config, options, err := config.completed()
	if err != nil {
		return nil, err
	}
	f := &follower{
		subject: config.Prefix + ".tokens." + token(deliberation) + ".*", stream: streamName(config.Prefix, "TOKENS"),
		take: take, live: make(chan *natsgo.Msg, liveMost), connected: make(chan struct{}), last: map[domain.TurnID]int{},
	}
	first := natsgo.ConnectHandler(func(*natsgo.Conn) { close(f.connected) })
	conn, err := natsgo.Connect(config.URL, append(options, first)...)
	if err != nil {
		return nil, withoutURL(err)
	}
	if f.js, err = config.jetStream(conn); err == nil {
		_, err = conn.ChanSubscribe(f.subject, f.live)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	return func() {
		cancel()
		conn.Close()
		running.Wait()
	}, nil
}

type follower struct {
	js        jetstream.JetStream
	subject   string
	stream    string
	take      func(Heard)
	live      chan *natsgo.Msg
	connected chan struct{}         // closed at the first connection
	last      map[domain.TurnID]int // the number of the last message that was passed on
}

// run replays once, while what comes meanwhile waits.
func (f *follower) run(ctx context.Context) {
	select {
	case <-f.connected:
	case <-ctx.Done():
		return
	}
	f.replay(ctx)
	for {
		select {
		case message := <-f.live:
			f.pass(message.Data)
		case <-ctx.Done():
			return
		}
	}
}

// replay passes on what the stream has now.
func (f *follower) replay(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, replayWithin)
	defer cancel()
	asking, asked := context.WithTimeout(ctx, createWithin)
	defer asked()
	consumer, err := f.js.OrderedConsumer(asking, f.stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{f.subject}})
	if err != nil || consumer.CachedInfo().NumPending == 0 {
		return
	}
	messages, err := consumer.Messages()
	if err != nil {
		return
	}
	defer messages.Stop()
	for {
		message, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return
		}
		f.pass(message.Data())
		if about, err := message.Metadata(); err != nil || about.NumPending == 0 {
			return
		}
	}
}

func (f *follower) pass(message []byte) {
	var event struct {
		Type string          `json:"type"`
		Time time.Time       `json:"time"`
		Data contract.Saying `json:"data"`
	}
	if json.Unmarshal(message, &event) != nil || event.Type != TokensType || event.Data.Sequence <= f.last[event.Data.TurnID] {
		return
	}
	f.last[event.Data.TurnID] = event.Data.Sequence
	f.take(Heard{event.Data, event.Time})
}

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
