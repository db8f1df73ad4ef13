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

func blockingIn(t *testing.T, blocking string) []string {
	t.Helper()
	reading := domain.Reading{Kind: domain.PeerReview, Reads: []domain.TurnID{"first"}, Criteria: []string{"accuracy"}}
	review, failure := domain.ReadReview(said(`{"reviews":[{"label":"A","accuracy":4,"blocking":`+blocking+`}],"ranking":["A"]}`), decodeJSON, reading)
	require.Equal(t, domain.TurnFailure{}, failure, blocking)
	return review.Notes[0].Blocking
}

func TestABlockingIssueBlocksHoweverItIsWritten(t *testing.T) {
	for blocking, want := range map[string][]string{
		`["leaks the key"]`:   {"leaks the key"},
		`"leaks the key"`:     {"leaks the key"},
		`{"issue":"leaks"}`:   {`{"issue":"leaks"}`},
		`[{"issue":"leaks"}]`: {`{"issue":"leaks"}`},
		`"泄露密钥"`:              {"泄露密钥"},
		`["Утечка ключа"]`:    {"Утечка ключа"},
	} {
		require.Equal(t, want, blockingIn(t, blocking), blocking)
	}
	for _, issue := range []string{
		"None of it works", "No tests were written for the token path", "No tests", "Nothing is tested", "There is no limit",
		"No handling of known issues", "No critical issues are handled", "No issues, but it loses data", "No issue tracker",
		"There are no blocking calls", "No blocking issues except a leak", "I found no tests", "No concerns of mine were addressed",
	} {
		require.Equal(t, []string{issue}, blockingIn(t, `"`+issue+`"`), issue)
		require.Equal(t, []string{issue}, blockingIn(t, `["`+issue+`"]`), issue)
	}
}

func TestWordsForNoBlockingIssueAreNone(t *testing.T) {
	for _, blocking := range []string{`[]`, `null`, `""`, `[" "]`} {
		require.Empty(t, blockingIn(t, blocking), blocking)
	}
	for _, none := range []string{
		"none", "no", "None.", "N/A", "-", "无", "[]", "*None*", "Nothing", "not applicable", "None identified", "None found", "None were found.",
		"Nothing blocking", "No blocking issues.", "No blocking issues found.", "No critical issues", "No issues or concerns",
		"No critical or blocking issues were identified.", "There are no blocking issues.", "There are none.", "I see no problems",
		"I found no serious problems in this proposal.", "I have no objections", "No blockers at this time",
	} {
		require.Empty(t, blockingIn(t, `"`+none+`"`), none)
		require.Empty(t, blockingIn(t, `["`+none+`"]`), none)
	}
}
