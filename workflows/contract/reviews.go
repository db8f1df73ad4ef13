package contract

import "deliberation.io/deliberation/domain"

// ReviewSummary says how the reviews went.
type ReviewSummary struct {
	Rounds   int      `json:"rounds"`         // review rounds
	Reviews  int      `json:"reviews"`        // usable reviews
	Failed   int      `json:"failed"`         // failed reviews
	KendallW *float64 `json:"kendall_w"`      // agreement of the latest rankings; null below three proposals or two rankings, or if unbalanced
	Note     string   `json:"note,omitempty"` // why the first proposal doesn't have the highest score; empty if it has
}

// Judgement combines what the reviewers say about a proposal.
type Judgement struct {
	Points  float64 `json:"points"`  // 1: first in every ranking; 0: last in every one
	Reviews int     `json:"reviews"` // a proposal with 0 reviews ranks last
	Blocked bool    `json:"blocked,omitempty"`
}

// Candidate is one version of a proposal: 0 is the first one, n the n-th revision. Reviews name it by its id.
type Candidate struct {
	ID      string `json:"id"`
	AgentID string `json:"agent_id"`
	Version int    `json:"version"`
}

// ReviewRecord is one review: the order in which the reviewer saw the proposals, and what it says about each.
type ReviewRecord struct {
	Round      int                `json:"round"`
	ReviewerID string             `json:"reviewer_id"`
	Order      []string           `json:"order"` // ids of candidates
	Ranking    []string           `json:"ranking,omitempty"`
	Notes      []NoteRecord       `json:"notes,omitempty"`
	ErrorType  domain.FailureKind `json:"error_type,omitempty"`
	Message    string             `json:"message,omitempty"`
}

// NoteRecord is what a review says about one proposal.
type NoteRecord struct {
	Of       string         `json:"of"`
	Marks    map[string]int `json:"marks"`
	Score    float64        `json:"score"`
	Critique string         `json:"critique"`
	Blocking []string       `json:"blocking,omitempty"`
}

// RevisionRecord is one revision. It has only the text that isn't in the results: the old one or the new one.
type RevisionRecord struct {
	Round     int                 `json:"round"`
	AgentID   string              `json:"agent_id"`
	Fate      domain.RevisionFate `json:"fate"`
	Other     *VersionText        `json:"other,omitempty"`
	ErrorType domain.FailureKind  `json:"error_type,omitempty"`
	Message   string              `json:"message,omitempty"`
}

// VersionText is a version of a proposal that doesn't count.
type VersionText struct {
	Proposal  string `json:"proposal"`
	Reasoning string `json:"reasoning,omitempty"`
	Answer    string `json:"answer,omitempty"`
}

// ReviewSummaryOf sums up the reviews of a council; nil if there was no review phase.
func ReviewSummaryOf(council domain.Council, ranked domain.CouncilResult) *ReviewSummary {
	reviews := council.Reviews()
	if len(reviews) == 0 {
		return nil
	}
	summary := &ReviewSummary{KendallW: ranked.Concordance(), Note: ranked.Note()}
	for _, review := range reviews {
		summary.Rounds = max(summary.Rounds, review.Round)
		if len(review.Notes) > 0 {
			summary.Reviews++
		} else {
			summary.Failed++
		}
	}
	return summary
}

// ReviewRecordsOf maps the reviews of a council.
func ReviewRecordsOf(council domain.Council) []ReviewRecord {
	return domain.Each(council.Reviews(), ReviewRecordOf)
}

// ReviewRecordOf maps one review.
func ReviewRecordOf(review domain.ReviewRecord) ReviewRecord {
	record := ReviewRecord{
		Round: review.Round, ReviewerID: review.Reviewer.ID(), Order: idsOf(review.Order), Ranking: idsOf(review.Ranking),
		ErrorType: review.Failure.Kind(), Message: review.Failure.Message(),
	}
	for _, note := range review.Notes {
		record.Notes = append(record.Notes, NoteRecord{
			Of: note.Of.ID, Marks: note.Marks, Score: note.Score, Critique: note.Critique, Blocking: note.Blocking,
		})
	}
	return record
}

func idsOf(candidates []domain.Candidate) []string {
	return domain.Each(candidates, func(candidate domain.Candidate) string { return candidate.ID })
}

// CandidatesOf maps candidates.
func CandidatesOf(candidates []domain.Candidate) []Candidate {
	return domain.Each(candidates, func(candidate domain.Candidate) Candidate { return Candidate(candidate) })
}

func versionOf(text domain.ProposalText) *VersionText {
	version := VersionText(text)
	return &version
}

// RevisionRecordsOf maps the revisions of a council.
func RevisionRecordsOf(council domain.Council) []RevisionRecord {
	return domain.Each(council.Revisions(), revisionRecordOf)
}

func revisionRecordOf(revision domain.RevisionRecord) RevisionRecord {
	record := RevisionRecord{
		Round: revision.Round, AgentID: revision.AgentID, Fate: revision.Fate,
		ErrorType: revision.Failure.Kind(), Message: revision.Failure.Message(),
	}
	switch revision.Fate {
	case domain.RevisionReplaced:
		record.Other = versionOf(revision.Before)
	case domain.RevisionKept, domain.RevisionUnreviewed:
		record.Other = versionOf(revision.After)
	case domain.RevisionFailed:
	}
	return record
}
