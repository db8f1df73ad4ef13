// Package nats stores events in NATS JetStream: it is the [domain.EventPublisher] of the worker.
// It decides neither what an event says nor when it is sent, and it never changes or deletes a stream.
//
// # Subjects
//
//	<prefix>.events.<deliberation>.<event>   stored in order; a publication that isn't stored is an error
//	<prefix>.tokens.<deliberation>.<agent>   best effort: dropped when nobody stores it
//
// Ids are percent-encoded where a token of a NATS subject forbids a byte. A message is a CloudEvent in
// structured JSON, and its Nats-Msg-Id is the event's id: a repetition within the stream's duplicate
// window is stored once.
//
// # Streams
//
// Any stream that takes the subject will do, whoever made it and whatever its settings; then publishing
// is the only permission needed. Where no stream answers, ours is created.
//
// # Events that don't fit
//
// An event beyond what the server or the stream takes is stored without its largest members, which
// `omitted` names. What still doesn't fit is logged as an error and skipped: nothing could ever
// store it, and waiting would hold back every event behind it.
package nats
