//go:build integration

package evidence

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kind is a kind of tasks.
type kind string

const (
	arithmetic     kind = "arithmetic"
	multipleChoice kind = "multiple choice"
)

// task is a question with one right answer.
type task struct {
	kind     kind
	question string
	right    string
}

// tasks makes as many tasks of each kind. The seed decides which.
func tasks(seed uint64, each int) []task {
	chance := rand.New(rand.NewPCG(seed, 0))
	var all []task
	for range each {
		all = append(all, sum(chance), choice(chance))
	}
	return all
}

// sum is the arithmetic task of "Improving Factuality and Reasoning in Language Models through Multiagent Debate".
func sum(chance *rand.Rand) task {
	n := numbers(chance, 6)
	return task{
		kind:     arithmetic,
		question: fmt.Sprintf("What is %d + %d * %d + %d - %d * %d?\nEnd the proposal with a line \"Answer: <number>\".", n[0], n[1], n[2], n[3], n[4], n[5]),
		right:    fmt.Sprint(n[0] + n[1]*n[2] + n[3] - n[4]*n[5]),
	}
}

func choice(chance *rand.Rand) task {
	n := numbers(chance, 2)
	right := n[0] * n[1]
	values := []int{right, right + 10, right - 10, right + 1 + chance.IntN(8)}
	letters := "ABCD"
	at := ""
	var options []string
	for i, from := range chance.Perm(len(values)) {
		options = append(options, fmt.Sprintf("(%c) %d", letters[i], values[from]))
		if from == 0 {
			at = letters[i : i+1]
		}
	}
	return task{
		kind: multipleChoice,
		question: fmt.Sprintf("Which of these is equal to %d * %d?\n%s\nEnd the proposal with a line \"Answer: <letter>\".",
			n[0], n[1], strings.Join(options, "\n")),
		right: at,
	}
}

func numbers(chance *rand.Rand, count int) []int {
	var all []int
	for range count {
		all = append(all, 10+chance.IntN(20))
	}
	return all
}

var (
	named      = regexp.MustCompile(`(?i)answer(?: is)?\W{1,6}?([A-D]\b|-?\d[\d,]*)`)
	lastNumber = regexp.MustCompile(`-?\d[\d,]*`)
	lastLetter = regexp.MustCompile(`\b[A-D]\b`)
)

// answerOf reads the answer from a proposal: the last one that is named, or else the last number or letter.
func (t task) answerOf(proposal string) string {
	bare := lastNumber
	if t.kind == multipleChoice {
		bare = lastLetter
	}
	if all := named.FindAllStringSubmatch(proposal, -1); all != nil {
		return strings.ToUpper(strings.ReplaceAll(all[len(all)-1][1], ",", ""))
	}
	if all := bare.FindAllString(proposal, -1); all != nil {
		return strings.ReplaceAll(all[len(all)-1], ",", "")
	}
	return ""
}

func (t task) solvedBy(answer string) bool { return answer == t.right }

// majority is the answer that most give, the first of those that equally many give.
func majority(answers []string) string {
	counts, best := map[string]int{}, ""
	for _, answer := range answers {
		counts[answer]++
	}
	for _, answer := range answers {
		if answer != "" && (best == "" || counts[answer] > counts[best]) {
			best = answer
		}
	}
	return best
}

func TestAnswersAreRead(t *testing.T) {
	sum, choice := task{kind: arithmetic}, task{kind: multipleChoice}
	for text, want := range map[string]string{
		"It is 3 + 4.\nAnswer: 7": "7", "Answer: 5. No: the answer is **12**": "12", "so 1,204": "1204", "no idea": "", "Answer: -8.": "-8",
	} {
		require.Equal(t, want, sum.answerOf(text), text)
	}
	for text, want := range map[string]string{"Answer: (b)": "B", "It is C": "C", "ABBA": ""} {
		require.Equal(t, want, choice.answerOf(text), text)
	}
	require.Equal(t, "7", majority([]string{"", "8", "7", "7", ""}))
	require.Equal(t, tasks(1, 3), tasks(1, 3))
	for _, each := range tasks(1, 50) {
		require.NotEmpty(t, each.right, each.question)
	}
}
