package contract

import (
	"bytes"
	"encoding/json"

	"deliberation.io/deliberation/domain"
)

// Vote is a group of proposals with the same short answer.
type Vote struct {
	Answer string   `json:"answer"`
	Votes  int      `json:"votes"`
	Agents []string `json:"agent_ids"` // the best proposal first
	Score  float64  `json:"score"`     // the mean
}

// VotesOf maps the votes; nil if the council doesn't vote.
func VotesOf(ranked domain.CouncilResult) []Vote {
	var votes []Vote
	for _, vote := range ranked.Votes() {
		votes = append(votes, Vote{Answer: vote.Answer, Votes: len(vote.Agents), Agents: vote.Agents, Score: vote.Score})
	}
	return votes
}

// Synthesis is the final answer of a chair. A result leaves it out if no chair was wanted, and has null if a chair
// was wanted and there is no answer.
type Synthesis struct {
	Wanted bool
	Text   *SynthesisText
}

// SynthesisText is the chair's answer.
type SynthesisText struct {
	Model      string            `json:"model"`
	Text       string            `json:"text"`
	Reasoning  string            `json:"reasoning"`
	Score      float64           `json:"score"` // the chair's own
	Attempts   int               `json:"attempts"`
	DurationMS int64             `json:"duration_ms"`
	Usage      Usage             `json:"usage"`
	Metadata   map[string]string `json:"metadata"`
}

func (s Synthesis) IsZero() bool                 { return !s.Wanted }
func (s Synthesis) MarshalJSON() ([]byte, error) { return json.Marshal(s.Text) }

// UnmarshalJSON reads a field that is there: null also says that a chair was wanted.
func (s *Synthesis) UnmarshalJSON(text []byte) error {
	*s = Synthesis{Wanted: true}
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	return json.Unmarshal(text, &s.Text)
}

// SynthesisOf maps the answer of a council's chair.
func SynthesisOf(council domain.Council) Synthesis {
	mapped := Synthesis{Wanted: council.Request().Protocol().Mode() == domain.ModeSynthesize}
	if wrote, there := council.Synthesis(); there {
		mapped.Text = &SynthesisText{
			Model: wrote.Agent().Model(), Text: wrote.Proposal(), Reasoning: wrote.Reasoning(), Score: wrote.OwnScore(),
			Attempts: wrote.Attempts(), DurationMS: wrote.Duration().Milliseconds(),
			Usage: usageOf(wrote.Usage()), Metadata: wrote.Metadata(),
		}
	}
	return mapped
}

// ChairFailureOf maps the chair's failure; nil if it wasn't asked or didn't fail.
func ChairFailureOf(council domain.Council) *AgentFailure {
	failure, failed := council.ChairFailure()
	if !failed {
		return nil
	}
	mapped := agentFailureOf(failure)
	return &mapped
}
