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

// TurnID is the id of a turn on Ray. It is derived from what the turn does: the same id is the same work.
type TurnID string

// RunKey makes the turns of different runs different. OriginalRunID stays the same when a workflow is reset,
// so a reset finds the work that was already paid for.
type RunKey struct {
	WorkflowID    string
	OriginalRunID string
}

// Hint is advice in the prompt about the failure of the previous attempt. Detail says what was wrong, for hints
// that quote it.
type Hint struct {
	Kind   FailureKind
	Detail string
}

// Turn is one attempt at an assignment: one model call, the unit of work on Ray.
type Turn struct {
	id         TurnID
	run        RunKey
	assignment Assignment // what the turn works on
	attempt    int        // counted from 1
	hint       Hint       // in the prompt; zero if there is none
	inputs     [sha256.Size]byte
}

func (t Turn) ID() TurnID             { return t.id }
func (t Turn) Assignment() Assignment { return t.assignment }
func (t Turn) Phase() Phase           { return t.assignment.Phase }
func (t Turn) Agent() AgentConfig     { return t.assignment.Agent }
func (t Turn) Attempt() int           { return t.attempt }
func (t Turn) Hint() Hint             { return t.hint }

// Turn returns the first attempt at an assignment.
func (c Council) Turn(assignment Assignment) Turn { return c.request.Turn(c.run, assignment) }

// Turn returns the first attempt at an assignment in a run of the request.
func (r DeliberationRequest) Turn(run RunKey, assignment Assignment) Turn {
	turn := Turn{run: run, assignment: assignment, attempt: 1, inputs: r.inputsOf(assignment)}
	turn.id = turn.derive()
	return turn
}

// WithAttempt returns attempt n, counted from 1, at the same assignment. It is other work with another id.
func (t Turn) WithAttempt(n int) Turn {
	t.attempt = n
	t.id = t.derive()
	return t
}

// WithHint adds a hint about the previous failure to the prompt, if there is one for that failure. Later
// attempts keep the hint.
func (t Turn) WithHint(hint Hint) Turn {
	text, known := purposes[t.assignment.Phase.Kind].hints[hint.Kind]
	if !known {
		return t
	}
	if !strings.Contains(text, "%s") {
		hint.Detail = ""
	}
	t.hint = hint
	t.id = t.derive()
	return t
}

// HintOf returns the hint about a failure.
func HintOf(failure TurnFailure) Hint {
	detail, _ := CutEncoded(failure.message, MaxName)
	return Hint{Kind: failure.kind, Detail: detail}
}

func (t Turn) hintText() string {
	text := purposes[t.assignment.Phase.Kind].hints[t.hint.Kind]
	return strings.Replace(text, "%s", t.hint.Detail, 1)
}

// RetryDelay returns the pause before this turn: 1 s after the first failure, doubled with each further one up
// to 60 s, plus or minus up to 20 %. The spread is derived from the id, so a replay waits for the same time.
func (t Turn) RetryDelay(failures int) time.Duration {
	const step, most = time.Second, time.Minute
	delay := most
	if failures <= 6 { // 2^6 s are more than a minute
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
	if t.hint.Kind != "" {
		parts = append(parts, string(t.hint.Kind))
	}
	if t.hint.Detail != "" {
		parts = append(parts, "detail", t.hint.Detail)
	}
	if len(t.assignment.Reads) > 0 { // an id stands for the answer, since it is derived from the turn's work
		parts = append(parts, "reads")
		for _, read := range t.assignment.Reads {
			parts = append(parts, string(read))
		}
	}
	return turnIDOf(parts...)
}

func turnIDOf(parts ...string) TurnID {
	digest := digestOf(parts...)
	encoded := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(digest[:])
	return TurnID("t" + strings.ToLower(encoded)[:26])
}

// inputsOf digests the inputs of an assignment. A review also depends on the rubric and the judge, and
// the final answer on the chair's server.
func (r DeliberationRequest) inputsOf(assignment Assignment) [sha256.Size]byte {
	inputs := r.inputs(assignment.Agent)
	switch assignment.Phase.Kind {
	case Propose, Revise:
		return inputs
	case Synthesize:
		return digestOf(string(inputs[:]), r.protocol.spec.ChairURL)
	case PeerReview:
	}
	parts := []string{string(inputs[:]), r.protocol.Review(), r.protocol.spec.JudgeURL}
	for _, criterion := range r.protocol.rubric {
		parts = append(parts, criterion.Name)
	}
	return digestOf(parts...)
}

// inputs digests the domain values that the turn's work depends on. It doesn't digest the rendered prompt: a
// new wording of ours must not make another turn.
func (r DeliberationRequest) inputs(agent AgentConfig) [sha256.Size]byte {
	parts := []string{
		r.taskID, r.description, r.role, r.constraints.StoryID(), r.constraints.PlanID(),
		agent.id, agent.role, agent.model, agent.template, r.vllmURL,
		strconv.FormatFloat(r.protocol.Temperature(), 'g', -1, 64), strconv.Itoa(r.protocol.MaxTokens()),
	}
	if r.protocol.votes() { // the answer has another form
		parts = append(parts, r.protocol.Mode())
	}
	//workflowcheck:ignore // sorted
	for _, name := range slices.Sorted(maps.Keys(r.protocol.spec.ExtraBody)) {
		parts = append(parts, name, r.protocol.spec.ExtraBody[name])
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
