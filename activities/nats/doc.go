// Package nats implements [domain.EventPublisher] on NATS JetStream. It never changes or deletes a stream.
//
// # Subjects
//
//	<prefix>.events.<deliberation>.<event>   stored in order; a publication that isn't stored is an error
//	<prefix>.tokens.<deliberation>.<agent>   best effort: dropped if no stream stores it
//
// Bytes of ids that a token of a NATS subject forbids are percent-encoded. A message is a CloudEvent in structured JSON,
// and its Nats-Msg-Id is the event's id: a repetition within the stream's duplicate window is stored once.
//
// # Streams
//
// Any stream that takes the subject is right, whoever created it and with whichever settings. Then the only permission
// needed is to publish. If no stream answers, the publisher creates its own.
//
// # Events that don't fit
//
// An event that is larger than the server or the stream takes is stored in its short form. If that doesn't fit either,
// the event is logged as an error and skipped: nothing could ever store it, and waiting would hold back all events after
// it.
package nats
