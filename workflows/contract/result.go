package contract

import (
	"bytes"
	"encoding/json"
	"time"

	"deliberation.io/deliberation/domain"
)

// Result is the output of the workflow Deliberation.
type Result struct {
	DeliberationID  string                    `json:"deliberation_id"`
	TaskID          string                    `json:"task_id"`
	Status          domain.DeliberationStatus `json:"status"`
	RankingBasis    domain.RankingBasis       `json:"ranking_basis"`
	Degraded        bool                      `json:"degraded"`
	BestResult      *AgentResult              `json:"best_result"`
	Results         []AgentResult             `json:"results"`
	Failures        []AgentFailure            `json:"failures"`
	TotalAgents     int                       `json:"total_agents"`
	CompletedAgents int                       `json:"completed_agents"`
	FailedAgents    int                       `json:"failed_agents"`
	AverageScore    float64                   `json:"average_score"`
	HasFailures     bool                      `json:"has_failures"`
	StopReason      domain.StopReason         `json:"stop_reason"`
	Usage           TotalUsage                `json:"usage"`
	Review          *ReviewSummary            `json:"review,omitempty"`
	Candidates      []Candidate               `json:"candidates,omitempty"` // all versions that reviews could name
	Votes           []Vote                    `json:"votes,omitempty"`
	Synthesis       Synthesis                 `json:"synthesis,omitzero"`
	ChairFailure    *AgentFailure             `json:"chair_failure,omitempty"`
	Reviews         []ReviewRecord            `json:"reviews,omitempty"`
	Revisions       []RevisionRecord          `json:"revisions,omitempty"`
	StartedAt       time.Time                 `json:"started_at"`
	CompletedAt     time.Time                 `json:"completed_at"`
	ExecutionTimeMS int64                     `json:"execution_time_ms"`
}

// AgentProposal is what an agent proposes, and what it took.
type AgentProposal struct {
	AgentID    string            `json:"agent_id"`
	Role       string            `json:"role"`
	Model      string            `json:"model"`
	Proposal   string            `json:"proposal"`
	Reasoning  string            `json:"reasoning"`
	Answer     string            `json:"answer,omitempty"` // what was counted if the council voted
	Score      float64           `json:"score"`
	Attempts   int               `json:"attempts"`
	DurationMS int64             `json:"duration_ms"`
	Usage      Usage             `json:"usage"`
	Metadata   map[string]string `json:"metadata"`
}

// AgentResult is one ranked proposal.
type AgentResult struct {
	Rank int `json:"rank"`
	AgentProposal

	// ProposalID and Author are set for a proposal that the request brought along.
	ProposalID string `json:"proposal_id,omitempty"`
	Author     string `json:"author,omitempty"`
	// OwnScore is the agent's score of its own proposal, if Score is the reviewers'.
	OwnScore *float64 `json:"own_score,omitempty"`
	// Judged combines what the reviewers say about the proposal.
	Judged *Judgement `json:"judged,omitempty"`
}

// AgentFailure says why an agent has no proposal.
type AgentFailure struct {
	AgentID   string             `json:"agent_id"`
	ErrorType domain.FailureKind `json:"error_type"`
	Message   string             `json:"message"`
	Attempts  int                `json:"attempts"`
}

// TotalUsage is the cost of all attempts. Wasted tokens went into answers that don't count.
type TotalUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	LLMCalls         int `json:"llm_calls"`
	WastedTokens     int `json:"wasted_tokens"`

	// Cost follows from DELIBERATION_PRICES. It is left out if a model that was paid for has no price.
	Cost *float64 `json:"cost,omitempty"`
	// ByPhase is the cost of each kind of phase, if there is more than one.
	ByPhase map[domain.PhaseKind]PhaseUsage `json:"by_phase,omitempty"`
}

// PhaseUsage is the cost of the turns of one kind of phase.
type PhaseUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	LLMCalls         int `json:"llm_calls"`
}

func (u PhaseUsage) plus(other PhaseUsage) PhaseUsage {
	return PhaseUsage{
		PromptTokens:     u.PromptTokens + other.PromptTokens,
		CompletionTokens: u.CompletionTokens + other.CompletionTokens,
		LLMCalls:         u.LLMCalls + other.LLMCalls,
	}
}

// FailureDetails are the details of the errors DeliberationFailed and DeadlineExceeded.
type FailureDetails struct {
	DeliberationID string         `json:"deliberation_id"`
	TaskID         string         `json:"task_id"`
	Phase          string         `json:"phase"`
	Failures       []AgentFailure `json:"failures"`
	Usage          TotalUsage     `json:"usage"`
}

// ResultsOf maps the ranked proposals.
func ResultsOf(ranked domain.CouncilResult) []AgentResult {
	results := make([]AgentResult, 0, ranked.Completed())
	for i, result := range ranked.Results() {
		results = append(results, AgentResultOf(i+1, result))
	}
	return results
}

// AgentResultOf maps one proposal.
func AgentResultOf(rank int, result domain.DeliberationResult) AgentResult {
	mapped := AgentResult{Rank: rank, AgentProposal: agentProposalOf(result)}
	mapped.ProposalID, mapped.Author = result.Given()
	if judgement, judged := result.Judgement(); judged {
		own, score := result.OwnScore(), Judgement{Points: judgement.Points, Reviews: judgement.Reviews, Blocked: judgement.Blocked}
		mapped.Judged = &score
		if mapped.ProposalID == "" { // nobody scored a given proposal before its reviews
			mapped.OwnScore = &own
		}
	}
	return mapped
}

func agentProposalOf(result domain.DeliberationResult) AgentProposal {
	return AgentProposal{
		AgentID: result.Agent().ID(), Role: result.Agent().Role(), Model: result.Agent().Model(),
		Proposal: result.Proposal(), Reasoning: result.Reasoning(), Answer: result.Answer(), Score: result.Score(),
		Attempts: result.Attempts(), DurationMS: result.Duration().Milliseconds(),
		Usage: usageOf(result.Usage()), Metadata: result.Metadata(),
	}
}

// AgentFailuresOf maps the failures.
func AgentFailuresOf(failures []domain.AgentFailure) []AgentFailure {
	return domain.Each(failures, agentFailureOf)
}

func agentFailureOf(failure domain.AgentFailure) AgentFailure {
	return AgentFailure{AgentID: failure.AgentID(), ErrorType: failure.Kind(), Message: failure.Message(), Attempts: failure.Attempts()}
}

// Phases returns the usage by kind of phase, also if there is only one.
func (u TotalUsage) Phases() map[domain.PhaseKind]PhaseUsage {
	if len(u.ByPhase) > 0 || u.LLMCalls == 0 {
		return u.ByPhase
	}
	return map[domain.PhaseKind]PhaseUsage{
		domain.Propose: {PromptTokens: u.PromptTokens, CompletionTokens: u.CompletionTokens, LLMCalls: u.LLMCalls},
	}
}

// TotalUsageOf returns the cost of the council so far.
func TotalUsageOf(council domain.Council, prices Prices) TotalUsage {
	paid, wasted := council.Paid()
	usage := TotalUsage{
		PromptTokens: paid.PromptTokens, CompletionTokens: paid.CompletionTokens, LLMCalls: paid.Calls, WastedTokens: wasted,
	}
	if cost, known := council.Cost(prices.domain()); known {
		usage.Cost = &cost
	}
	if council.PaidFor(domain.Propose) == paid {
		return usage
	}
	usage.ByPhase = map[domain.PhaseKind]PhaseUsage{}
	for _, kind := range domain.PhaseKinds() {
		if part := council.PaidFor(kind); part.Calls > 0 {
			usage.ByPhase[kind] = PhaseUsage{PromptTokens: part.PromptTokens, CompletionTokens: part.CompletionTokens, LLMCalls: part.Calls}
		}
	}
	return usage
}

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
