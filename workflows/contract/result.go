package contract

import (
	"time"

	"deliberation.io/deliberation/domain"
)

// RankingSelf ranks proposals by the scores that their own agents gave them.
const RankingSelf = "self"

// Why a deliberation stopped waiting for its agents.
const (
	StoppedDecided  = "all_agents_done"
	StoppedDeadline = "deadline"
)

// Result is the output of the workflow Deliberation.
type Result struct {
	DeliberationID  string                    `json:"deliberation_id"`
	TaskID          string                    `json:"task_id"`
	Status          domain.DeliberationStatus `json:"status"`
	RankingBasis    string                    `json:"ranking_basis"`
	Degraded        bool                      `json:"degraded"`
	BestResult      *AgentResult              `json:"best_result"`
	Results         []AgentResult             `json:"results"`
	Failures        []AgentFailure            `json:"failures"`
	TotalAgents     int                       `json:"total_agents"`
	CompletedAgents int                       `json:"completed_agents"`
	FailedAgents    int                       `json:"failed_agents"`
	AverageScore    float64                   `json:"average_score"`
	HasFailures     bool                      `json:"has_failures"`
	StopReason      string                    `json:"stop_reason"`
	Usage           TotalUsage                `json:"usage"`
	StartedAt       time.Time                 `json:"started_at"`
	CompletedAt     time.Time                 `json:"completed_at"`
	ExecutionTimeMS int64                     `json:"execution_time_ms"`
}

// AgentResult is one ranked proposal.
type AgentResult struct {
	Rank       int               `json:"rank"`
	AgentID    string            `json:"agent_id"`
	Role       string            `json:"role"`
	Model      string            `json:"model"`
	Proposal   string            `json:"proposal"`
	Reasoning  string            `json:"reasoning"`
	Score      float64           `json:"score"`
	Attempts   int               `json:"attempts"`
	DurationMS int64             `json:"duration_ms"`
	Usage      Usage             `json:"usage"`
	Metadata   map[string]string `json:"metadata"`
}

// AgentFailure is why an agent has no proposal.
type AgentFailure struct {
	AgentID   string             `json:"agent_id"`
	ErrorType domain.FailureKind `json:"error_type"`
	Message   string             `json:"message"`
	Attempts  int                `json:"attempts"`
}

// TotalUsage is what every attempt together cost; wasted tokens went into answers that don't count.
type TotalUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	LLMCalls         int `json:"llm_calls"`
	WastedTokens     int `json:"wasted_tokens"`
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
	return AgentResult{
		Rank: rank, AgentID: result.Agent().ID(), Role: result.Agent().Role(), Model: result.Agent().Model(),
		Proposal: result.Proposal(), Reasoning: result.Reasoning(), Score: result.Score(),
		Attempts: result.Attempts(), DurationMS: result.Duration().Milliseconds(),
		Usage: usageOf(result.Usage()), Metadata: result.Metadata(),
	}
}

// AgentFailuresOf maps the failures.
func AgentFailuresOf(failures []domain.AgentFailure) []AgentFailure {
	mapped := make([]AgentFailure, 0, len(failures))
	for _, failure := range failures {
		mapped = append(mapped, AgentFailure{
			AgentID: failure.AgentID(), ErrorType: failure.Kind(), Message: failure.Message(), Attempts: failure.Attempts(),
		})
	}
	return mapped
}

// TotalUsageOf is what the council has cost so far.
func TotalUsageOf(council domain.Council) TotalUsage {
	paid, wasted := council.Paid()
	return TotalUsage{
		PromptTokens: paid.PromptTokens, CompletionTokens: paid.CompletionTokens, LLMCalls: paid.Calls, WastedTokens: wasted,
	}
}
