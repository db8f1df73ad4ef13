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

// TurnID names a turn on Ray. It is derived from what the turn does: the same id is the same work.
type TurnID string

// RunKey is what sets one deliberation's turns apart from another's. OriginalRunID stays the same when
// a workflow is reset, so that a reset finds the work that was already paid for.
type RunKey struct {
	WorkflowID    string
	OriginalRunID string
}

// Turn is one attempt of one agent at its part of a phase: one model call, the unit of work on Ray.
type Turn struct {
	id         TurnID
	run        RunKey
	assignment Assignment
	attempt    int
	hint       FailureKind
	inputs     [sha256.Size]byte
}

// Turn is the first attempt at an assignment.
func (c Council) Turn(assignment Assignment) Turn { return c.request.Turn(c.run, assignment) }

// Turn is the first attempt at an assignment in a run of the request.
func (r DeliberationRequest) Turn(run RunKey, assignment Assignment) Turn {
	turn := Turn{run: run, assignment: assignment, attempt: 1, inputs: r.inputs(assignment.Agent)}
	turn.id = turn.derive()
	return turn
}

// WithAttempt is the same turn as attempt n, counted from 1. It is other work, so it has another id.
func (t Turn) WithAttempt(n int) Turn {
	t.attempt = n
	t.id = t.derive()
	return t
}

// WithHint is the turn with a hint about the previous failure in its prompt, if there is one for that
// failure. Later attempts keep the hint.
func (t Turn) WithHint(failed FailureKind) Turn {
	if _, known := purposes[t.assignment.Phase.Kind].hints[failed]; known {
		t.hint = failed
		t.id = t.derive()
	}
	return t
}

// Hint is the failure that the prompt hints at; empty when there is none.
func (t Turn) Hint() FailureKind { return t.hint }

// ID is the turn's name on Ray.
func (t Turn) ID() TurnID { return t.id }

// Assignment is what the turn works on.
func (t Turn) Assignment() Assignment { return t.assignment }

// Phase is what the turn is for.
func (t Turn) Phase() Phase { return t.assignment.Phase }

// Agent is whose turn it is.
func (t Turn) Agent() AgentConfig { return t.assignment.Agent }

// Attempt counts from 1.
func (t Turn) Attempt() int { return t.attempt }

// RetryDelay is the pause before this turn after n failed ones: 1 s, doubled with each failure up to
// 60 s, and 20 % more or less. The spread comes from the id, so that a replay waits equally long.
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
		t.run.WorkflowID, t.run.OriginalRunID, string(t.assignment.Phase.Kind), strconv.Itoa(t.assignment.Phase.Round),
		t.assignment.Agent.id, strconv.Itoa(t.attempt), string(t.inputs[:]),
	}
	if t.hint != "" {
		parts = append(parts, string(t.hint))
	}
	if len(t.assignment.Reads) > 0 { // ids are digests of their work: no text is digested twice
		parts = append(parts, "reads")
		for _, read := range t.assignment.Reads {
			parts = append(parts, string(read))
		}
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
