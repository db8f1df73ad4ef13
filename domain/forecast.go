package domain

import (
	"fmt"
	"strings"
)

// Forecast is the most that a deliberation needs if no turn is tried again.
type Forecast struct {
	Proposals        int // model calls
	Reviews          int
	Revisions        int
	Syntheses        int // by the chair
	PromptTokens     int // estimated from the length of the prompts
	CompletionTokens int
}

// bytesPerToken is a cautious estimate: with common tokenizers, a token has more bytes on average.
const bytesPerToken = 3

// MostCalls returns the most model calls that a deliberation makes if no turn is tried again.
func (r DeliberationRequest) MostCalls() int { return r.Forecast().Calls() }

func (r DeliberationRequest) Forecast() Forecast {
	f := Forecast{}
	if len(r.given) == 0 {
		f.Proposals = len(r.agents)
		for _, agent := range r.agents {
			f.PromptTokens += tokensOf(r.taskPrompt()) + r.personaTokens(agent)
		}
	}
	if r.protocol.Review() != ReviewNone && len(r.authors()) > 1 {
		for round := 1; round <= r.revisions()+1; round++ {
			f = f.withReview(r, round)
		}
		for range r.revisions() {
			f = f.withRevision(r)
		}
	}
	if r.protocol.Mode() == ModeSynthesize {
		f.Syntheses = 1
		f.PromptTokens += tokensOf(r.synthesisTask()) + len(r.authors())*r.textTokens()
	}
	f.CompletionTokens = f.Calls() * r.protocol.MaxTokens()
	return f
}

func (f Forecast) Calls() int  { return f.Proposals + f.Reviews + f.Revisions + f.Syntheses }
func (f Forecast) Tokens() int { return f.PromptTokens + f.CompletionTokens }

// withReview adds the reviews of a round. From the second round on, reviewers read two versions of a proposal.
func (f Forecast) withReview(r DeliberationRequest, round int) Forecast {
	reviewers, reads := r.reviewLoad()
	f.Reviews += reviewers
	f.PromptTokens += reviewers * (tokensOf(r.reviewTask()) + min(round, 2)*reads*r.textTokens())
	return f
}

// withRevision adds a revision by each author, who reads its own proposal and all reviews of it.
func (f Forecast) withRevision(r DeliberationRequest) Forecast {
	reads := r.textTokens() + r.readersOfEach()*r.protocol.MaxTokens()
	for _, agent := range r.authors() {
		if r.isAgent(agent) {
			f.Revisions++
			f.PromptTokens += tokensOf(r.revisionTask()) + r.personaTokens(agent) + reads
		}
	}
	return f
}

// readersOfEach returns the most reviewers that an agent's proposal may have in a round.
func (r DeliberationRequest) readersOfEach() int {
	if r.protocol.Review() == ReviewJudge {
		return 1
	}
	reviewers, reads := r.reviewLoad()
	if given := len(r.given); given > 0 {
		reads = reviewers*reads/given + 2 // rounded up, and one because another reviewer left out its own
	}
	return min(reads, reviewers-1)
}

// reviewLoad returns the number of reviewers in a round, and the number of authors that each of them reads.
func (r DeliberationRequest) reviewLoad() (reviewers, reads int) {
	switch agents := len(r.agents); {
	case r.protocol.Review() == ReviewJudge:
		return 1, len(r.authors())
	case len(r.given) > 0:
		return agents, r.sharedReads()
	case agents > mostReadAll:
		return agents, mostRead
	default:
		return agents, agents - 1
	}
}

// revisions returns how often proposals may be revised: never if no author is an agent.
func (r DeliberationRequest) revisions() int {
	if r.revisers() == 0 {
		return 0
	}
	return r.protocol.Rounds()
}

// textTokens estimates the tokens of a proposal: the most that an answer may have, or the mean of the given
// proposals.
func (r DeliberationRequest) textTokens() int {
	if len(r.given) == 0 {
		return r.protocol.MaxTokens()
	}
	sum := 0
	for _, given := range r.given {
		sum += tokensOf(given.Text)
	}
	return max(r.protocol.MaxTokens()*min(1, r.revisions()), sum/len(r.given))
}

func (r DeliberationRequest) personaTokens(agent AgentConfig) int {
	tokens := 0
	for _, part := range r.personaWithoutTask(agent) {
		tokens += tokensOf(part.Text)
	}
	return tokens
}

func tokensOf(text string) int { return tokensIn(len(text)) }

// tokensIn estimates the most tokens that a text of this many bytes has.
func tokensIn(bytes int) int { return (bytes + bytesPerToken - 1) / bytesPerToken }

// CallsInWords describes the most model calls that there may be, and what they are for.
func (r DeliberationRequest) CallsInWords() string {
	f := r.Forecast()
	begin := Count(f.Proposals, "proposal")
	if len(r.given) > 0 {
		begin = Count(len(r.given), "given proposal")
	}
	words := fmt.Sprintf("at most %s: %s", Count(f.Calls(), "model call"), begin)
	if f.Reviews > 0 {
		words += ", then up to " + r.roundsInWords() + " each"
	}
	if f.Syntheses > 0 {
		words += ", then the final answer by the chair"
	}
	return words
}

func (r DeliberationRequest) roundsInWords() string {
	rounds := r.revisions()
	parts := []string{Count(rounds+1, "review")}
	if r.protocol.Review() == ReviewJudge {
		parts[0] += " by the judge"
	}
	if rounds > 0 {
		parts = append(parts, Count(rounds, "revision"))
	}
	return strings.Join(parts, " and ")
}
