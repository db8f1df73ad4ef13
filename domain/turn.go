package domain

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Phase is what a turn is for. Append only: it travels in histories.
type Phase string

// Propose is the phase in which each agent makes its proposal.
const Propose Phase = "propose"

// TurnID names a turn on Ray. It is derived from what the turn does: the same id is the same work.
type TurnID string

// RunKey is what sets one deliberation's turns apart from another's. OriginalRunID stays the same when
// a workflow is reset, so that a reset finds the work that was already paid for.
type RunKey struct {
	WorkflowID    string
	OriginalRunID string
}

// Turn is one model call of one agent for one purpose: the unit of work on Ray.
type Turn struct {
	id      TurnID
	run     RunKey
	phase   Phase
	round   int
	agent   AgentConfig
	attempt int
	hint    FailureKind
	inputs  [sha256.Size]byte
}

// Turns are the council's first turns, in request order.
func (r DeliberationRequest) Turns(run RunKey) []Turn {
	turns := make([]Turn, 0, len(r.agents))
	for _, agent := range r.agents {
		turns = append(turns, newTurn(run, agent, r.inputs(agent)))
	}
	return turns
}

func newTurn(run RunKey, agent AgentConfig, inputs [sha256.Size]byte) Turn {
	turn := Turn{run: run, phase: Propose, agent: agent, attempt: 1, inputs: inputs}
	turn.id = turn.derive()
	return turn
}

// Attempt is the same turn as its attempt number n, counted from 1. It is other work, so it has another id.
func (t Turn) Attempt(n int) Turn {
	t.attempt = n
	t.id = t.derive()
	return t
}

// After is the turn whose agent is told what was wrong with an earlier answer, where there is a hint for
// that. It stays told in the attempts that follow.
func (t Turn) After(failed FailureKind) Turn {
	if _, known := hints[failed]; known {
		t.hint = failed
		t.id = t.derive()
	}
	return t
}

// Hint is what the agent is told about, empty when nothing.
func (t Turn) Hint() FailureKind { return t.hint }

// ID is the turn's name on Ray.
func (t Turn) ID() TurnID { return t.id }

// Phase is what the turn is for.
func (t Turn) Phase() Phase { return t.phase }

// Round is the round of review, 0 for a proposal.
func (t Turn) Round() int { return t.round }

// Agent is whose turn it is.
func (t Turn) Agent() AgentConfig { return t.agent }

// Number is which attempt this is, from 1.
func (t Turn) Number() int { return t.attempt }

// RetryDelay is how long to wait before this turn follows n failed ones: 1 s doubled per failure up to
// 60 s, 20 % more or less. The spread comes from the id, so that a replay waits as long.
func (t Turn) RetryDelay(failures int) time.Duration {
	const step, most = time.Second, time.Minute
	delay := most
	if failures <= 6 { // 2^6 s is beyond a minute
		delay = min(most, step<<(max(1, failures)-1))
	}
	digest := sha256.Sum256([]byte(t.id))
	// In whole numbers: floating-point results may differ between processors.
	perMille := 800 + binary.BigEndian.Uint32(digest[:4])%401
	return delay * time.Duration(perMille) / 1000
}

func (t Turn) derive() TurnID {
	parts := []string{
		t.run.WorkflowID, t.run.OriginalRunID, string(t.phase), strconv.Itoa(t.round),
		t.agent.id, strconv.Itoa(t.attempt), string(t.inputs[:]),
	}
	if t.hint != "" {
		parts = append(parts, string(t.hint))
	}
	digest := digestOf(parts...)
	encoded := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(digest[:])
	return TurnID("t" + strings.ToLower(encoded)[:26])
}

// inputs digests what the turn's work depends on, as domain values: a changed wording of the prompt
// doesn't make another turn of it. An extra body is a part only if there is one.
func (r DeliberationRequest) inputs(agent AgentConfig) [sha256.Size]byte {
	parts := []string{
		r.taskID, r.description, r.role, r.constraints.storyID, r.constraints.planID,
		agent.id, agent.role, agent.model, agent.template, r.vllmURL,
		strconv.FormatFloat(r.protocol.temperature, 'g', -1, 64), strconv.Itoa(r.protocol.maxTokens),
	}
	for _, name := range slices.Sorted(maps.Keys(r.protocol.extraBody)) {
		parts = append(parts, name, r.protocol.extraBody[name])
	}
	return digestOf(parts...)
}

// digestOf writes each part with its length first, so that no two lists of parts share a digest.
func digestOf(parts ...string) [sha256.Size]byte {
	hash := sha256.New()
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	var sum [sha256.Size]byte
	copy(sum[:], hash.Sum(nil))
	return sum
}
