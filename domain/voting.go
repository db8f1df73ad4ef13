package domain

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// RankedByVotes is the basis of a ranking in which the answer with the most votes is first.
const RankedByVotes RankingBasis = "vote"

// Vote is a group of proposals with the same short answer.
type Vote struct {
	Answer string   // as the best proposal writes it
	Agents []string // their authors, the best first
	Score  float64  // the mean of their scores
}

// byVotes groups ranked proposals by their answers. The group with the most proposals comes first, then the one
// with the higher score, then a stable hash decides. Within a group the order stays.
func byVotes(ranked []DeliberationResult) ([]DeliberationResult, []Vote) {
	groups := map[string][]DeliberationResult{}
	var answers []string
	for _, result := range ranked {
		answer := sameAnswer(result.answer.short)
		if groups[answer] == nil {
			answers = append(answers, answer)
		}
		groups[answer] = append(groups[answer], result)
	}
	slices.SortStableFunc(answers, func(a, b string) int {
		first, second := digestOf("vote", a), digestOf("vote", b)
		return cmp.Or(
			cmp.Compare(len(groups[b]), len(groups[a])), cmp.Compare(meanScore(groups[b]), meanScore(groups[a])), bytes.Compare(first[:], second[:]),
		)
	})
	results, votes := make([]DeliberationResult, 0, len(ranked)), make([]Vote, 0, len(answers))
	for _, answer := range answers {
		group := groups[answer]
		vote := Vote{Answer: group[0].answer.short, Score: meanScore(group)}
		for _, result := range group {
			vote.Agents = append(vote.Agents, result.agent.id)
		}
		results, votes = append(results, group...), append(votes, vote)
	}
	return results, votes
}

func meanScore(results []DeliberationResult) float64 {
	sum := 0.0
	for _, result := range results {
		sum += result.Score()
	}
	return sum / float64(len(results))
}

var decimal = regexp.MustCompile(`^[+-]?\d+(\.\d+)?$`)

// sameAnswer returns the form in which equal answers are the same text: case, white space, quotes and a final full
// stop don't matter, and 042.50 is 42.5.
func sameAnswer(short string) string {
	answer := strings.Join(strings.Fields(strings.ToLower(short)), " ")
	answer = strings.Trim(answer, "\"'`*$")
	answer = strings.TrimSpace(strings.TrimSuffix(answer, "."))
	if !decimal.MatchString(answer) {
		return answer
	}
	negative := strings.HasPrefix(answer, "-")
	whole, fraction, _ := strings.Cut(strings.TrimLeft(answer, "+-"), ".")
	whole, fraction = cmp.Or(strings.TrimLeft(whole, "0"), "0"), strings.TrimRight(fraction, "0")
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		whole = "-" + whole
	}
	return whole
}

// shortAnswer reads the field answer: a text, a number, true or false, of one line and at most [MaxName] bytes.
func shortAnswer(value Value) string {
	if value.Kind == ValueObject || value.Kind == ValueList {
		return ""
	}
	return short(value.Text)
}

// short returns the text if it can be counted as an answer, else the empty text.
func short(text string) string {
	text = strings.TrimSpace(text)
	form := strings.EqualFold(strings.Trim(text, "<>"), "the result alone")
	if form || strings.ContainsAny(text, "\r\n") || EncodedSize(text) > MaxName || sameAnswer(text) == "" {
		return ""
	}
	return text
}

// withVote returns the answer with its short form if the council votes, else without it. If the council votes and
// there is no short form, the failure says so.
func (a Answer) withVote(votes bool) (Answer, TurnFailure) {
	switch {
	case !votes:
		a.short = ""
	case a.parse == ParsePlainText:
		a.short = short(a.proposal)
	}
	if votes && a.short == "" {
		return a, NewTurnFailure(InvalidOutput, `the answer has no short "answer" of one line, which is what is counted`, true)
	}
	return a, TurnFailure{}
}
