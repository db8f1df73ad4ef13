package domain

import "math"

// ReviewNone is the protocol in which agents propose and are ranked by their own scores.
const ReviewNone = "none"

// Defaults and bounds of a [Protocol].
const (
	DefaultTemperature = 0.7
	DefaultMaxTokens   = 2048

	maxRounds      = 3
	maxTemperature = 2
	maxMaxTokens   = 32768
)

// Protocol is how the council works.
type Protocol struct {
	rounds      int
	quorum      int
	temperature float64
	maxTokens   int
}

// ProtocolSpec is what a [Protocol] is made of.
type ProtocolSpec struct {
	Review      string
	Rounds      int
	Quorum      int
	Temperature float64
	MaxTokens   int
}

// NewProtocol checks the spec for a council of so many agents.
func NewProtocol(spec ProtocolSpec, agents int) (Protocol, error) {
	var faults Faults
	if spec.Review != ReviewNone {
		faults.Add("review", "%s is not supported yet; use %q", Quote(spec.Review), ReviewNone)
	}
	faults.within("rounds", spec.Rounds, 0, maxRounds)
	faults.within("quorum", spec.Quorum, 0, agents)
	if math.IsNaN(spec.Temperature) || spec.Temperature < 0 || spec.Temperature > maxTemperature {
		faults.Add("temperature", "must be 0..%d, got %g", maxTemperature, spec.Temperature)
	}
	faults.within("max_tokens", spec.MaxTokens, 1, maxMaxTokens)
	if err := faults.OrNil(); err != nil {
		return Protocol{}, err
	}
	return restoreProtocol(spec), nil
}

func restoreProtocol(spec ProtocolSpec) Protocol {
	return Protocol{rounds: spec.Rounds, quorum: spec.Quorum, temperature: spec.Temperature, maxTokens: spec.MaxTokens}
}

// Review names the way in which proposals are reviewed.
func (p Protocol) Review() string { return ReviewNone }

// Rounds is how many rounds of review there are.
func (p Protocol) Rounds() int { return p.rounds }

// Quorum is how many proposals make a result, as requested: 0 stands for one.
func (p Protocol) Quorum() int { return p.quorum }

// Needs is how many proposals make a result.
func (p Protocol) Needs() int { return max(1, p.quorum) }

// Temperature is the sampling temperature of the model.
func (p Protocol) Temperature() float64 { return p.temperature }

// MaxTokens bounds an answer.
func (p Protocol) MaxTokens() int { return p.maxTokens }
