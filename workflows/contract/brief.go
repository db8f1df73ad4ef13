package contract

import (
	"deliberation.io/deliberation/domain"
)

// Brief has what the prompts of a phase are made of: the request, and the texts that the turns read. Each text
// travels once, under the id of the turn that answered with it.
type Brief struct {
	Request   *NormalisedRequest `json:"request"`
	Proposals []ProposalText     `json:"proposals,omitempty"`
	Critiques []CritiqueText     `json:"critiques,omitempty"`
	Fence     string             `json:"fence,omitempty"`
}

// ProposalText is a proposal as other agents read it.
type ProposalText struct {
	TurnID    domain.TurnID `json:"submission_id"`
	Proposal  string        `json:"proposal"`
	Reasoning string        `json:"reasoning,omitempty"`
	Answer    string        `json:"answer,omitempty"`
}

// CritiqueText is what one review says about one proposal.
type CritiqueText struct {
	By       domain.TurnID `json:"by"`
	Of       domain.TurnID `json:"of"`
	Text     string        `json:"text"`
	Blocking []string      `json:"blocking,omitempty"`
}

// Reading says how to read an answer that isn't only a proposal.
type Reading struct {
	Phase    domain.PhaseKind `json:"phase"`
	Reads    []domain.TurnID  `json:"reads,omitempty"`
	Criteria []string         `json:"criteria,omitempty"`
	Votes    bool             `json:"votes,omitempty"` // the answer of a proposal is counted
}

// BriefOf gathers what the assignments read, in their order.
func BriefOf(request *NormalisedRequest, fence string, council domain.Council, assignments []domain.Assignment) *Brief {
	texts := council.Texts(assignments)
	if len(request.Proposals) > 0 { // the texts of the brief include them
		short := *request
		short.Proposals, request = nil, &short
	}
	brief := &Brief{Request: request}
	given := map[domain.TurnID]bool{}
	for _, assignment := range assignments {
		for _, id := range assignment.Reads {
			text, isProposal := texts.Proposals[id]
			if !isProposal || given[id] {
				continue
			}
			given[id] = true
			brief.Proposals = append(brief.Proposals, ProposalText{TurnID: id, Proposal: text.Proposal, Reasoning: text.Reasoning, Answer: text.Answer})
		}
	}
	for _, critique := range texts.Critiques {
		brief.Critiques = append(brief.Critiques, CritiqueText(critique))
	}
	if len(given) > 0 {
		brief.Fence = assignments[0].Phase.Fence(fence)
	}
	return brief
}

func (b Brief) Texts() domain.Texts {
	texts := domain.Texts{Proposals: make(map[domain.TurnID]domain.ProposalText, len(b.Proposals)), Fence: b.Fence}
	for _, text := range b.Proposals {
		texts.Proposals[text.TurnID] = domain.ProposalText{Proposal: text.Proposal, Reasoning: text.Reasoning, Answer: text.Answer}
	}
	for _, critique := range b.Critiques {
		texts.Critiques = append(texts.Critiques, domain.Critique(critique))
	}
	return texts
}

// ReadingOf says how to read the answer of a turn; nil for a proposal of a council that doesn't vote.
func ReadingOf(request domain.DeliberationRequest, turn domain.Turn) *Reading {
	reading := request.Reading(turn)
	if reading.Kind != domain.PeerReview && !reading.Votes {
		return nil
	}
	return &Reading{Phase: reading.Kind, Reads: reading.Reads, Criteria: reading.Criteria, Votes: reading.Votes}
}

func (r *Reading) Domain() domain.Reading {
	if r == nil {
		return domain.Reading{Kind: domain.Propose}
	}
	return domain.Reading{Kind: r.Phase, Reads: r.Reads, Criteria: r.Criteria, Votes: r.Votes}
}
