package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// OutboxInput has the events that weren't stored when a deliberation ended.
type OutboxInput struct {
	Events []EventRecord `json:"events"`
}

// OutboxID returns the workflow id of a run's outbox. It shortens long ids at a character boundary and appends a
// hash, so that different deliberations never share an id.
func OutboxID(deliberationID, runID string) string {
	const idMost = 255 // SQL databases of Temporal servers store no longer ones, even if the server allows them
	suffix := "/outbox/" + runID
	if len(deliberationID)+len(suffix) <= idMost {
		return deliberationID + suffix
	}
	hash := sha256.Sum256([]byte(deliberationID))
	suffix = "~" + hex.EncodeToString(hash[:8]) + suffix
	return strings.ToValidUTF8(deliberationID[:idMost-len(suffix)], "") + suffix // without a part of a character
}
