package domain

import (
	"slices"
	"strconv"
)

// Candidate is one version of a proposal: 0 is the first one, n the n-th revision. Its id is short, since
// reviews name many: P3 is the third agent's proposal, P3r1 its first revision.
type Candidate struct {
	ID      string
	AgentID string
	Version int
}

// ReviewRecord is one review as the result shows it.
type ReviewRecord struct {
	Round    int
	Reviewer AgentConfig
	Order    []Candidate // the proposals in the order in which the reviewer saw them
	Ranking  []Candidate
	Notes    []NoteRecord
	Failure  TurnFailure // why there is no review; zero when there is one
}

// NoteRecord is what a review says about one candidate.
type NoteRecord struct {
	Of       Candidate
	Marks    map[string]int
	Score    float64
	Critique string
	Blocking []string
}

// RevisionFate says whether a revision replaced the earlier version.
type RevisionFate string

// Fates of revisions.
const (
	RevisionReplaced   RevisionFate = "replaced"   // reviewers prefer it: it replaces the earlier version
	RevisionKept       RevisionFate = "kept"       // reviewers don't prefer it: the earlier version stays
	RevisionUnreviewed RevisionFate = "unreviewed" // no review compared the two: the earlier version stays
	RevisionFailed     RevisionFate = "failed"     // there is no new version
)

// RevisionRecord is one revision as the result shows it. Before is the version that it started from.
type RevisionRecord struct {
	Round   int
	AgentID string
	Fate    RevisionFate
	Before  ProposalText
	After   ProposalText
	Failure TurnFailure
}

// Reviews returns all reviews that were asked for and have ended, in their order.
func (c Council) Reviews() []ReviewRecord { return recordsOf(c, PeerReview, c.reviewRecord) }

// LatestReviews returns the reviews of the latest round that has any.
func (c Council) LatestReviews() []ReviewRecord {
	reviews := c.Reviews()
	latest := 0
	for _, review := range reviews {
		latest = max(latest, review.Round)
	}
	return slices.DeleteFunc(reviews, func(review ReviewRecord) bool { return review.Round != latest })
}

// ReviewOf returns the record of one reviewer's part in a round, once it has ended.
func (c Council) ReviewOf(turn Turn) (ReviewRecord, bool) {
	if !c.Done(turn) {
		return ReviewRecord{}, false
	}
	return c.reviewRecord(c.at(turn.assignment)), true
}

func (c Council) reviewRecord(e *entry) ReviewRecord {
	record := ReviewRecord{Round: e.assignment.Phase.Round, Reviewer: e.assignment.Agent, Order: Each(e.assignment.Reads, c.candidateOf)}
	if e.state == AgentFailed {
		record.Failure = e.failure.failure
		return record
	}
	record.Ranking = Each(e.review.Ranking, c.candidateOf)
	for _, note := range e.review.Notes {
		record.Notes = append(record.Notes, NoteRecord{
			Of: c.candidateOf(note.Of), Marks: note.Marks, Score: note.score(c.request.protocol.rubric),
			Critique: note.Critique, Blocking: note.Blocking,
		})
	}
	return record
}

// Revisions returns all revisions that were asked for and have ended, in their order.
func (c Council) Revisions() []RevisionRecord { return recordsOf(c, Revise, c.revisionRecord) }

// recordsOf returns the records of all settled assignments of one kind.
func recordsOf[Record any](c Council, kind PhaseKind, record func(*entry) Record) []Record {
	var records []Record
	for _, e := range c.ledger {
		if e.assignment.Phase.Kind == kind && e.settled() {
			records = append(records, record(e))
		}
	}
	return records
}

// RevisionOf returns the record of one author's part in a round, once it has ended.
func (c Council) RevisionOf(turn Turn) (RevisionRecord, bool) {
	if !c.Done(turn) {
		return RevisionRecord{}, false
	}
	return c.revisionRecord(c.at(turn.assignment)), true
}

func (c Council) revisionRecord(e *entry) RevisionRecord {
	round, before := e.assignment.Phase.Round, e.assignment.Reads[0]
	record := RevisionRecord{
		Round: round, AgentID: e.assignment.Agent.id, Before: c.textOf(before), After: c.textOf(e.turn.id), Fate: RevisionKept,
	}
	better, worse := c.compared(round+1, e.turn.id, before)
	switch {
	case e.state == AgentFailed:
		record.Fate, record.Failure, record.After = RevisionFailed, e.failure.failure, ProposalText{}
	case better > worse:
		record.Fate = RevisionReplaced
	case better+worse == 0:
		record.Fate = RevisionUnreviewed
	}
	return record
}

func (c Council) textOf(id TurnID) ProposalText {
	if e := c.byTurn(id); e != nil && e.state == AgentCompleted {
		return e.result.text()
	}
	return ProposalText{}
}

// byTurn returns the entry whose latest attempt is this turn, nil if there is none.
func (c Council) byTurn(id TurnID) *entry {
	for _, e := range c.ledger {
		if e.turn.id == id {
			return e
		}
	}
	return nil
}

func (c Council) candidateOf(id TurnID) Candidate {
	e := c.byTurn(id)
	if e == nil {
		return Candidate{}
	}
	place := slices.Index(c.request.authors(), e.assignment.Agent)
	candidate := Candidate{ID: "P" + strconv.Itoa(place+1), AgentID: e.assignment.Agent.id}
	if e.assignment.Phase.Kind == Revise {
		candidate.Version = e.assignment.Phase.Round
		candidate.ID += "r" + strconv.Itoa(candidate.Version)
	}
	return candidate
}

// Candidates returns all versions that reviews could name, in the order in which they came.
func (c Council) Candidates() []Candidate {
	var candidates []Candidate
	for _, e := range c.ledger {
		if kind := e.assignment.Phase.Kind; (kind == Propose || kind == Revise) && e.state == AgentCompleted {
			candidates = append(candidates, c.candidateOf(e.turn.id))
		}
	}
	return candidates
}
