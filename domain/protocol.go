package domain

import (
	"cmp"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Ways in which proposals are reviewed.
const (
	ReviewNone  = "none"  // not at all: the agents' own scores rank them
	ReviewPeer  = "peer"  // each agent reviews the others' proposals
	ReviewJudge = "judge" // one model reviews all of them
)

// Defaults and bounds of a [Protocol].
const (
	DefaultTemperature = 0.7
	DefaultMaxTokens   = 2048

	mostRounds      = 3
	mostPatience    = mostSeconds
	mostTemperature = 2
	mostTokens      = 32768
	mostExtraBody   = 16 << 10 // in JSON
)

// Protocol says how the council works.
type Protocol struct {
	spec   ProtocolSpec
	rubric []Criterion
}

func (p Protocol) Mode() string                 { return p.spec.Mode }
func (p Protocol) Review() string               { return p.spec.Review }
func (p Protocol) Rounds() int                  { return p.spec.Rounds }
func (p Protocol) Needs() int                   { return max(1, p.spec.Quorum) }
func (p Protocol) Temperature() float64         { return p.spec.Temperature }
func (p Protocol) MaxTokens() int               { return p.spec.MaxTokens }
func (p Protocol) Budget() Budget               { return p.spec.Budget }
func (p Protocol) ExtraBody() map[string]string { return maps.Clone(p.spec.ExtraBody) }

// ProtocolSpec holds the parts of a [Protocol]. ExtraBody has the JSON of each value by its name.
type ProtocolSpec struct {
	Mode        string // ModeRank when empty
	ChairModel  string // the first agent's model when empty
	ChairURL    string // the request's vllm_url when empty
	Review      string
	JudgeModel  string
	JudgeURL    string             // the request's vllm_url when empty
	Rubric      map[string]float64 // weights by criterion; the default rubric when empty
	Patience    int                // in seconds; 0: the default
	Rounds      int                // how often proposals may be revised
	Quorum      int                // how many proposals make a result; 0 means one
	Temperature float64
	MaxTokens   int // of an answer
	Budget      Budget
	ExtraBody   map[string]string
}

// roles returns the ids of the participants that the protocol adds to the council.
func (s ProtocolSpec) roles() []string {
	var roles []string
	if s.Review == ReviewJudge {
		roles = append(roles, JudgeID)
	}
	if s.Mode == ModeSynthesize {
		roles = append(roles, chairID)
	}
	return roles
}

// check checks the spec for a council of this many agents. Given proposals may be reviewed by one agent.
func (s ProtocolSpec) check(agents int, given bool, faults *Faults) {
	s.checkMode(faults)
	s.checkReview(agents, given, faults)
	faults.within("protocol.rounds", s.Rounds, 0, mostRounds)
	faults.within("protocol.quorum", s.Quorum, 0, agents)
	if math.IsNaN(s.Temperature) || s.Temperature < 0 || s.Temperature > mostTemperature {
		faults.Add("protocol.temperature", "must be 0..%d, got %g", mostTemperature, s.Temperature)
	}
	faults.within("protocol.max_tokens", s.MaxTokens, 1, mostTokens)
	s.Budget.check(faults)
	s.checkExtraBody(faults)
}

// checkReview refuses reviews that can't be made.
func (s ProtocolSpec) checkReview(agents int, given bool, faults *Faults) {
	switch s.Review {
	case ReviewNone:
	case ReviewPeer:
		if agents < 2 && !given {
			faults.Add("protocol.review", "%q needs at least two agents", ReviewPeer)
		}
	case ReviewJudge:
		faults.required("protocol.judge_model", s.JudgeModel, MaxName)
	default:
		faults.Add("protocol.review", "must be %q, %q or %q, got %s", ReviewNone, ReviewPeer, ReviewJudge, Quote(s.Review))
	}
	if s.JudgeURL != "" {
		checkURL("protocol.judge_url", s.JudgeURL, faults)
	}
	checkRubric(s.Rubric, faults)
	faults.within("protocol.patience_seconds", s.Patience, 0, mostPatience)
}

// checkExtraBody refuses fields that change how an answer is asked for, read or paid for.
func (s ProtocolSpec) checkExtraBody(faults *Faults) {
	const path = "protocol.extra_body"
	size := len("{}") + max(0, len(s.ExtraBody)-1) // the commas
	for _, name := range slices.Sorted(maps.Keys(s.ExtraBody)) {
		size += EncodedSize(name) + len(`"":`) + len(s.ExtraBody[name])
		if reservedName.MatchString(strings.TrimSpace(name)) {
			cut, _ := CutEncoded(strings.TrimSpace(name), maxQuoted)
			faults.Add(path+"."+cut, "cannot be given here; the deliberation sets it")
		}
	}
	if size > mostExtraBody {
		faults.Add(path, "must be at most %d bytes in JSON, got %d", mostExtraBody, size)
	}
}

// reservedName matches a field of the model call that the deliberation itself sets: what it sends, how many answers it
// pays for, and how they are streamed. Some servers ignore the case of names. The runner has the same rule
// (deliberation_ray/extra_body.py), and both read deploy/ray/tests/extra_body_keys.json.
var reservedName = regexp.MustCompile(`(?i)^(model|messages|temperature|response_format|extra_body` +
	`|n|best_of|num_return_sequences|candidate_count` +
	`|stream\w*` +
	`|max_?\w*(tokens?|length|len)|n(um)?_predict)$`)

func (s ProtocolSpec) protocol() Protocol {
	s.Mode, s.ExtraBody = cmp.Or(s.Mode, ModeRank), maps.Clone(s.ExtraBody)
	protocol := Protocol{spec: s, rubric: rubricOf(s.Rubric)}
	protocol.spec.Rubric = nil // read only as criteria
	return protocol
}

// Patience returns how long the council waits for the slow turns of a phase once it could go on without them,
// and whether it goes on before the deadline at all. By default it waits for half of the remaining time if
// there are reviews or a chair, since these need time too.
func (p Protocol) Patience(remaining time.Duration) (time.Duration, bool) {
	switch patience := inSeconds(p.spec.Patience); {
	case patience > 0:
		return patience, patience < remaining
	case p.SharesTexts():
		return remaining / 2, true
	}
	return 0, false
}

// Ways in which a council comes to its answer.
const (
	ModeRank       = "rank"       // the best proposal wins
	ModeVote       = "vote"       // the short answer that most proposals have wins
	ModeSynthesize = "synthesize" // a chair writes the final answer, next to the best proposal
)

// checkMode refuses an unknown mode, and a chair that can't be called.
func (s ProtocolSpec) checkMode(faults *Faults) {
	switch s.Mode {
	case "", ModeRank, ModeVote, ModeSynthesize:
	default:
		faults.Add("protocol.mode", "must be %q, %q or %q, got %s", ModeRank, ModeVote, ModeSynthesize, Quote(s.Mode))
	}
	faults.bounded("protocol.chair_model", s.ChairModel, MaxName)
	if s.ChairURL != "" {
		checkURL("protocol.chair_url", s.ChairURL, faults)
	}
}

// votes reports whether the council votes.
func (p Protocol) votes() bool { return p.spec.Mode == ModeVote }

// SharesTexts reports whether a phase follows in which models read what other models wrote.
func (p Protocol) SharesTexts() bool {
	return p.spec.Review != ReviewNone || p.spec.Mode == ModeSynthesize
}
