package report

import (
	"slices"
	"strings"
	"unicode"

	"github.com/sergi/go-diff/diffmatchpatch"

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
		proposals = append(proposals, Proposal{
			Rank: one.Rank, AgentID: one.AgentID, Text: one.Proposal, Reasoning: one.Reasoning, Revisions: h.revisions(one),
		})
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
		revision := Revision{Round: record.Round, Fate: record.Fate, Critiques: h.critiques(record), Changes: []Change{}}
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

// critiques returns the critiques that an author read before a revision.
func (h history) critiques(of contract.RevisionRecord) []Critique {
	critiques := []Critique{}
	for _, review := range h.in(of.Round) {
		for _, note := range review.Notes {
			candidate := h.candidates[note.Of]
			if candidate.AgentID == of.AgentID && candidate.Version == h.version(of.AgentID, of.Round) {
				critiques = append(critiques, Critique{review.ReviewerID, note.Critique, note.Blocking})
			}
		}
	}
	return critiques
}

var kinds = map[diffmatchpatch.Operation]string{
	diffmatchpatch.DiffEqual: "same", diffmatchpatch.DiffInsert: "added", diffmatchpatch.DiffDelete: "removed",
}

// changes compares two texts word by word.
func changes(before, after string) []Change {
	codes := coder{codes: map[string]rune{}}
	differ := diffmatchpatch.New()
	found := differ.DiffMainRunes(codes.encode(before), codes.encode(after), false)
	changes := make([]Change, 0, len(found))
	for _, diff := range found {
		changes = append(changes, Change{kinds[diff.Type], codes.decode(diff.Text)})
	}
	return merged(changes)
}

// merged joins changes with only white space between them, so that a rewritten phrase is one change.
func merged(changes []Change) []Change {
	out := []Change{}
	removed, added := "", ""
	flush := func() {
		if removed != "" {
			out = append(out, Change{"removed", removed})
		}
		if added != "" {
			out = append(out, Change{"added", added})
		}
		removed, added = "", ""
	}
	for i, change := range changes {
		switch {
		case change.Kind == "removed":
			removed += change.Text
		case change.Kind == "added":
			added += change.Text
		case strings.TrimSpace(change.Text) == "" && i > 0 && i < len(changes)-1 && !strings.Contains(change.Text, "\n"):
			removed += change.Text
			added += change.Text
		default:
			flush()
			out = append(out, change)
		}
	}
	flush()
	return out
}

// coder gives each word a character of its own, since the library compares characters.
type coder struct {
	codes map[string]rune
	words []string
}

const (
	surrogates    = 0xD800 // no characters from here
	notSurrogates = 0xE000 // to here
)

func (c *coder) encode(text string) []rune {
	var encoded []rune
	for _, word := range words(text) {
		code, known := c.codes[word]
		if !known {
			code = rune(len(c.words)) //nolint:gosec // a proposal has fewer words than there are characters
			if code >= surrogates {
				code += notSurrogates - surrogates
			}
			c.codes[word], c.words = code, append(c.words, word)
		}
		encoded = append(encoded, code)
	}
	return encoded
}

func (c *coder) decode(encoded string) string {
	var text strings.Builder
	for _, code := range encoded {
		if code >= notSurrogates {
			code -= notSurrogates - surrogates
		}
		text.WriteString(c.words[code])
	}
	return text.String()
}

// words splits a text into words, white space and marks, without losing anything.
func words(text string) []string {
	var all []string
	begin, class := 0, 0
	for i, r := range text {
		next := 1
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			next = 2
		case unicode.IsSpace(r):
			next = 3
		}
		if i > 0 && (next != class || next == 1) {
			all, begin = append(all, text[begin:i]), i
		}
		class = next
	}
	return append(all, text[begin:])
}
