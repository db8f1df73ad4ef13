package report

import (
	"slices"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Proposal is the text that counts, with its revisions.
type Proposal struct {
	Rank      int        `json:"rank"`
	AgentID   string     `json:"agent_id"`
	Text      string     `json:"text"`
	Reasoning string     `json:"reasoning,omitempty"`
	Revisions []Revision `json:"revisions"`
	Said      []Critique `json:"said"` // in the last round, about the text that counts; empty if a revision answers it
}

// Revision is an author's new text: its changes, the critiques before it, and its fate.
type Revision struct {
	Round     int                 `json:"round"`
	Fate      domain.RevisionFate `json:"fate"`
	Error     string              `json:"error,omitempty"`
	Critiques []Critique          `json:"critiques"`
	Changes   []Change            `json:"changes"` // empty if there is no new text
}

// Critique is what a reviewer said about the text that was revised.
type Critique struct {
	ReviewerID string   `json:"reviewer_id"`
	Text       string   `json:"text"`
	Blocking   []string `json:"blocking,omitempty"`
}

// Change is a piece of text that stayed (same), is new (added) or is gone (removed).
type Change struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

func (h history) proposals() []Proposal {
	proposals := []Proposal{}
	for _, one := range h.result.Results {
		proposal := Proposal{
			Rank: one.Rank, AgentID: one.AgentID, Text: one.Proposal, Reasoning: one.Reasoning, Revisions: h.revisions(one), Said: []Critique{},
		}
		if n := len(proposal.Revisions); n == 0 || proposal.Revisions[n-1].Round < h.last {
			proposal.Said = h.critiques(one.AgentID, h.last)
		}
		proposals = append(proposals, proposal)
	}
	return proposals
}

// revisions goes back from the text that counts, since each record has only the text that doesn't count.
func (h history) revisions(one contract.AgentResult) []Revision {
	revisions := []Revision{}
	standing := one.Proposal
	for _, record := range slices.Backward(h.result.Revisions) {
		if record.AgentID != one.AgentID {
			continue
		}
		revision := Revision{Round: record.Round, Fate: record.Fate, Critiques: h.critiques(record.AgentID, record.Round), Changes: []Change{}}
		if record.ErrorType != "" {
			revision.Error = string(record.ErrorType) + ": " + record.Message
		}
		switch other := record.Other; {
		case other == nil:
		case record.Fate == domain.RevisionReplaced:
			revision.Changes = changes(other.Proposal, standing)
			standing = other.Proposal
		default:
			revision.Changes = changes(standing, other.Proposal)
		}
		revisions = append(revisions, revision)
	}
	slices.Reverse(revisions)
	return revisions
}

// critiques returns what the reviewers of a round said about the text of an agent that counted then.
func (h history) critiques(agent string, round int) []Critique {
	critiques := []Critique{}
	for _, review := range h.in(round) {
		for _, note := range review.Notes {
			candidate := h.candidates[note.Of]
			if candidate.AgentID == agent && candidate.Version == h.version(agent, round) {
				critiques = append(critiques, Critique{review.ReviewerID, note.Critique, note.Blocking})
			}
		}
	}
	return critiques
}
