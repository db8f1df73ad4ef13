package domain

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Review is one reviewer's judgement of the proposals that it read.
type Review struct {
	Notes   []Note
	Ranking []TurnID // the best first; each proposal that was read, once
}

// Note is what a review says about one proposal.
type Note struct {
	Of       TurnID
	Marks    map[string]int // 1 to 5, by criterion
	Critique string
	Blocking []string // issues that must be solved before the proposal can be used
}

// note returns what the review says about a proposal.
func (r Review) note(of TurnID) (Note, bool) {
	for _, note := range r.Notes {
		if note.Of == of {
			return note, true
		}
	}
	return Note{}, false
}

// score returns the weighted mean of the marks, where mark x counts (x-1)/4. It is at most the value of
// accuracy.
func (n Note) score(rubric []Criterion) float64 {
	sum, weights, most := 0.0, 0.0, 1.0
	for _, criterion := range rubric {
		mark := float64(n.Marks[criterion.Name]-lowestMark) / (highestMark - lowestMark)
		sum += criterion.Weight * mark
		weights += criterion.Weight
		if criterion.Name == criterionAccuracy {
			most = mark
		}
	}
	return min(most, sum/weights)
}

// Fit cuts critiques and blocking issues so that together they take at most limit bytes of Go's JSON encoding. The
// beginning of a blocking issue always stays: without it, a proposal would no longer be blocked.
func (r Review) Fit(limit int) (Review, bool) {
	const quotes = len(`"",`)
	each := limit / max(1, len(r.Notes))
	cut := false
	notes := slices.Clone(r.Notes)
	for i := range notes {
		critique, whole := CutEncoded(notes[i].Critique, each/2)
		blocking, left := []string{}, each-EncodedSize(critique)
		for _, issue := range notes[i].Blocking {
			if len(blocking) == 0 {
				left = max(left, blockingOverhead)
			}
			short, all := CutEncoded(issue, left-quotes)
			whole = whole && all
			if short != "" {
				blocking = append(blocking, short)
				left -= EncodedSize(short) + quotes
			}
		}
		notes[i].Critique, notes[i].Blocking = critique, blocking
		cut = cut || !whole
	}
	return Review{Notes: notes, Ranking: r.Ranking}, cut
}

// Reading is what must be known to read a turn's answer.
type Reading struct {
	Kind     PhaseKind
	Reads    []TurnID // for a review: the proposals that the labels A, B, … stand for, in this order
	Criteria []string
	Votes    bool // the answer of a proposal is counted
}

// Reading returns what must be known to read the answer of a turn.
func (r DeliberationRequest) Reading(turn Turn) Reading {
	reading := Reading{Kind: turn.Phase().Kind, Votes: r.protocol.votes() && turn.Phase().Kind != PeerReview}
	if reading.Kind == PeerReview {
		reading.Reads = turn.assignment.Reads
		for _, criterion := range r.protocol.rubric {
			reading.Criteria = append(reading.Criteria, criterion.Name)
		}
	}
	return reading
}

// letter returns the label of the i-th proposal that a reviewer reads: A, B, …, Z, AA, AB, ….
func letter(i int) string {
	if i < 26 {
		return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i+1]
	}
	return letter(i/26-1) + letter(i%26)
}

// ReadReview reads a review from the last complete object with reviews. If it can't, the failure says why.
func ReadReview(done Completion, decode DecodeObject, reading Reading) (Review, TurnFailure) {
	said := readReply(done, "reviews", decode, func(object Object) bool { return notesOf(object["reviews"]) != nil })
	if !said.found {
		if done.cut() {
			return Review{}, done.cutFailure(said.text)
		}
		return Review{}, NewTurnFailure(InvalidOutput, "there is no object with the list \"reviews\"", true)
	}
	review, fault := reading.review(said.object.Object)
	if fault != "" {
		return Review{}, NewTurnFailure(InvalidOutput, fault, true)
	}
	return review, TurnFailure{}
}

func (g Reading) review(object Object) (review Review, fault string) {
	labels := make(map[string]TurnID, len(g.Reads))
	for i, id := range g.Reads {
		labels[letter(i)] = id
	}
	for _, fields := range notesOf(object["reviews"]) {
		note, fault := readNote(fields, labels, g.Criteria)
		if fault != "" {
			return Review{}, fault
		}
		if _, twice := review.note(note.Of); twice {
			return Review{}, "a proposal is reviewed twice"
		}
		review.Notes = append(review.Notes, note)
	}
	if len(review.Notes) != len(labels) {
		return Review{}, fmt.Sprintf("%d of %d proposals are reviewed", len(review.Notes), len(labels))
	}
	review.Ranking, fault = readRanking(object["ranking"], labels)
	return review, fault
}

func readNote(fields Object, labels map[string]TurnID, criteria []string) (note Note, fault string) {
	name := labelOf(fields["label"].Text)
	of, known := labels[name]
	if !known {
		return Note{}, "there is no proposal with the label " + Quote(fields["label"].Text)
	}
	note = Note{Of: of, Marks: make(map[string]int, len(criteria)), Critique: strings.TrimSpace(fields["critique"].Text)}
	for _, criterion := range criteria {
		mark, read := readMark(fields[criterion])
		if !read {
			return Note{}, fmt.Sprintf("%q of proposal %s must be a whole number from 1 to 5", criterion, name)
		}
		note.Marks[criterion] = mark
	}
	note.Blocking = readBlocking(fields["blocking"])
	return note, ""
}

func readRanking(value Value, labels map[string]TurnID) (ranking []TurnID, fault string) {
	const rule = `"ranking" must name each label once, the best first`
	ranking = make([]TurnID, 0, len(labels))
	for _, place := range placesOf(value) {
		id, known := labels[labelOf(place)]
		if !known || slices.Contains(ranking, id) {
			return nil, rule
		}
		ranking = append(ranking, id)
	}
	if len(ranking) != len(labels) {
		return nil, rule
	}
	return ranking, ""
}

// labelOf reads a label as models write it: "A", "a", "Proposal A".
func labelOf(text string) string {
	words := strings.Fields(strings.ToUpper(text))
	if len(words) == 0 {
		return ""
	}
	return strings.Trim(words[len(words)-1], `."'()[]*:`)
}

// notesOf returns what a review says about each proposal, from the list that was asked for or from an object by
// label; nil if the value is neither.
func notesOf(value Value) []Object {
	switch value.Kind {
	case ValueList:
		return Each(value.Items, func(item Value) Object { return item.Fields })
	case ValueObject:
		notes := make([]Object, 0, len(value.Fields))
		for _, label := range slices.Sorted(maps.Keys(value.Fields)) {
			note := maps.Clone(value.Fields[label].Fields)
			if note == nil {
				return nil
			}
			if _, named := note["label"]; !named {
				note["label"] = Value{Kind: ValueText, Text: label}
			}
			notes = append(notes, note)
		}
		return notes
	case ValueOther, ValueText, ValueNumber:
	}
	return nil
}

// markForm matches a whole mark as models write it: 4, 4.0, "4/5", "4 out of 5", "4 (good)".
var markForm = regexp.MustCompile(`(?i)^[*_"\s]*([` + strconv.Itoa(lowestMark) + `-` + strconv.Itoa(highestMark) + `])(?:\.0*)?` +
	`(?:\s*(?:/|out\s+of|of)\s*` + strconv.Itoa(highestMark) + `(?:\.0*)?)?(?:\s*[(\[:;,.!–—*_"-][^\d]*|\s+[^\d\s/][^\d]*)?$`)

// readMark reads a mark, and reports whether there is a whole one.
func readMark(value Value) (int, bool) {
	if value.Kind == ValueObject { // with its reason
		for _, name := range []string{"mark", "score", "rating", "value"} {
			if inner, given := value.Fields[name]; given && inner.Kind != ValueObject {
				return readMark(inner)
			}
		}
		return 0, false
	}
	found := markForm.FindStringSubmatch(value.Text)
	if found == nil {
		return 0, false
	}
	mark, err := strconv.Atoi(found[1])
	return mark, err == nil
}

// noIssue matches the words of models that have none, where an empty list was asked for. It matches only whole sentences of
// known words: "No tests were written" is an issue. [^\pL\pN] is \W for all scripts.
var noIssue = regexp.MustCompile(`(?i)^[^\pL\pN]*(?:no|nil|null|n/?a|not applicable|无|没有|なし|` +
	`(?:(?:there (?:are|is|were)|i (?:see|found|find|have|identified)) )?(?:none|nothing|` + noIssues + `)(?: blocking)?` +
	`(?:(?: were| was)? (?:found|identified|noted|seen|detected))?` +
	`(?: (?:in|with|for) (?:this|the) proposal| at this (?:time|point|stage))?)?[^\pL\pN]*$`)

const (
	noIssues  = `no (?:` + graveness + `(?: (?:or|and) ` + graveness + `)? )?` + issues + `(?: (?:or|and) ` + issues + `)?`
	graveness = `(?:blocking|critical|major|serious|significant|severe)`
	issues    = `(?:issues?|blockers?|problems?|concerns?|objections?)`
)

// readBlocking reads the blocking issues. One that isn't in a list blocks, too.
func readBlocking(value Value) (issues []string) {
	said := value.Items
	if value.Kind == ValueText || value.Kind == ValueObject {
		said = []Value{value}
	}
	for _, issue := range said {
		if text := strings.TrimSpace(issue.Text); !noIssue.MatchString(text) {
			issues = append(issues, text)
		}
	}
	return issues
}

// placesOf returns the labels of a ranking, from a list or from a text such as "A > B > C".
func placesOf(value Value) (places []string) {
	if value.Kind == ValueText {
		return strings.FieldsFunc(value.Text, func(r rune) bool { return strings.ContainsRune(">,;|→≻\n", r) })
	}
	for _, place := range value.Items {
		if label, named := place.Fields["label"]; named {
			place = label
		}
		places = append(places, place.Text)
	}
	return places
}
