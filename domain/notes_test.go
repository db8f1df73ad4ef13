package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestAReviewIsReadAsModelsWriteIt(t *testing.T) {
	reading := domain.Reading{Kind: domain.PeerReview, Reads: []domain.TurnID{"first", "second"}, Criteria: []string{"accuracy"}}
	usual := []int{4, 2}
	for name, c := range map[string]struct {
		text  string
		marks []int
	}{
		"as it was asked for": {`{"reviews":[{"label":"A","accuracy":4},{"label":"B","accuracy":2}],"ranking":["A","B"]}`, usual},
		"marks as fractions":  {`{"reviews":[{"label":"A","accuracy":"4/5"},{"label":"B","accuracy":"2 out of 5"}],"ranking":["A","B"]}`, usual},
		"marks with words":    {`{"reviews":[{"label":"A","accuracy":"4 (good)"},{"label":"B","accuracy":"**2** - weak"}],"ranking":["A","B"]}`, usual},
		"marks with a point":  {`{"reviews":[{"label":"A","accuracy":4.0},{"label":"B","accuracy":"2."}],"ranking":["A","B"]}`, usual},
		"marks with reasons":  {`{"reviews":[{"label":"A","accuracy":{"score":4,"reason":"r"}},{"label":"B","accuracy":{"mark":"2"}}],"ranking":["A","B"]}`, usual},
		"an object by label":  {`{"reviews":{"A":{"accuracy":4},"Proposal B":{"accuracy":2}},"ranking":["A","B"]}`, usual},
		"a ranking as a text": {`{"reviews":[{"label":"A","accuracy":4},{"label":"B","accuracy":2}],"ranking":"A > B"}`, usual},
		"a ranking on lines":  {`{"reviews":[{"label":"A","accuracy":4},{"label":"B","accuracy":2}],"ranking":"1. A\n2. B"}`, usual},
		"places as objects":   {`{"reviews":[{"label":"A","accuracy":4},{"label":"B","accuracy":2}],"ranking":[{"label":"A"},{"label":"B"}]}`, usual},
	} {
		t.Run(name, func(t *testing.T) {
			review, failure := domain.ReadReview(said(c.text), decodeJSON, reading)
			require.Equal(t, domain.TurnFailure{}, failure)
			var marks []int
			for _, note := range review.Notes {
				marks = append(marks, note.Marks["accuracy"])
			}
			require.Equal(t, c.marks, marks)
			require.Equal(t, []domain.TurnID{"first", "second"}, review.Ranking)
		})
	}
	for _, mark := range []string{`0`, `6`, `4.5`, `"4-5"`, `"4/10"`, `"good"`, `"1 or 2"`, `null`, `true`, `[4]`, `{}`, `"45"`, `""`} {
		_, failure := domain.ReadReview(said(`{"reviews":[{"label":"A","accuracy":`+mark+`},{"label":"B","accuracy":2}],"ranking":["A","B"]}`), decodeJSON, reading)
		require.Equal(t, `"accuracy" of proposal A must be a whole number from 1 to 5`, failure.Message(), mark)
	}
}

func TestABlockingIssueBlocksHoweverItIsWritten(t *testing.T) {
	reading := domain.Reading{Kind: domain.PeerReview, Reads: []domain.TurnID{"first"}, Criteria: []string{"accuracy"}}
	for blocking, want := range map[string][]string{
		`["leaks the key"]`:     {"leaks the key"},
		`"leaks the key"`:       {"leaks the key"},
		`{"issue":"leaks"}`:     {`{"issue":"leaks"}`},
		`[{"issue":"leaks"}]`:   {`{"issue":"leaks"}`},
		`["None of it works"]`:  {"None of it works"},
		`[]`:                    nil,
		`null`:                  nil,
		`""`:                    nil,
		`[" "]`:                 nil,
		`"none"`:                nil,
		`["None."]`:             nil,
		`["N/A"]`:               nil,
		`["-"]`:                 nil,
		`"No blocking issues."`: nil,
	} {
		review, failure := domain.ReadReview(said(`{"reviews":[{"label":"A","accuracy":4,"blocking":`+blocking+`}],"ranking":["A"]}`), decodeJSON, reading)
		require.Equal(t, domain.TurnFailure{}, failure, blocking)
		require.Equal(t, want, review.Notes[0].Blocking, blocking)
	}
}
