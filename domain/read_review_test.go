package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestAReviewThatBreaksARuleIsNone(t *testing.T) {
	const both = `{"label":"A","cost":4,"critique":"fine","blocking":[]},{"label":"B","cost":2,"critique":"slow","blocking":["it loses data"," "]}`
	reading := domain.Reading{Kind: domain.PeerReview, Reads: []domain.TurnID{"t1", "t2"}, Criteria: []string{"cost"}}
	read := func(text string) (domain.Review, domain.TurnFailure) {
		return domain.ReadReview(domain.Completion{Text: text, FinishReason: "stop"}, decodeJSON, reading)
	}
	review, failure := read(`{"reviews":[` + both + `],"ranking":["Proposal b","A"]}`)
	require.Equal(t, domain.TurnFailure{}, failure)
	require.Equal(t, domain.Review{Ranking: []domain.TurnID{"t2", "t1"}, Notes: []domain.Note{
		{Of: "t1", Marks: map[string]int{"cost": 4}, Critique: "fine"},
		{Of: "t2", Marks: map[string]int{"cost": 2}, Critique: "slow", Blocking: []string{"it loses data"}},
	}}, review)

	const ranking = `"ranking" must name each label once, the best first`
	for text, fault := range map[string]string{
		`I like A best.`: `there is no object with the list "reviews"`,
		`{"reviews":[` + both + `],"ranking":["A"]}`:                            ranking,
		`{"reviews":[` + both + `],"ranking":["A","A"]}`:                        ranking,
		`{"reviews":[` + both + `],"ranking":["A","B","B"]}`:                    ranking,
		`{"reviews":[` + both + `],"ranking":["A","C"]}`:                        ranking,
		`{"reviews":[` + both + `],"ranking":[["A","B"]]}`:                      ranking,
		`{"reviews":[` + both + `]}`:                                            ranking,
		`{"reviews":[{"label":"A","cost":4}],"ranking":["A"]}`:                  `1 of 2 proposals are reviewed`,
		`{"reviews":[{"label":"C","cost":4}],"ranking":["A"]}`:                  `there is no proposal with the label "C"`,
		`{"reviews":[{"label":"A","cost":6}],"ranking":["A"]}`:                  `"cost" of proposal A must be a whole number from 1 to 5`,
		`{"reviews":[{"label":"A","cost":2.5}],"ranking":["A"]}`:                `"cost" of proposal A must be a whole number from 1 to 5`,
		`{"reviews":[{"label":"A"}],"ranking":["A"]}`:                           `"cost" of proposal A must be a whole number from 1 to 5`,
		`{"reviews":[` + both + `,{"label":"A","cost":4}],"ranking":["A","B"]}`: `a proposal is reviewed twice`,
	} {
		_, failure := read(text)
		require.Equal(t, domain.InvalidOutput, failure.Kind(), text)
		require.Equal(t, fault, failure.Message(), text)
		require.True(t, failure.Retryable(), text)
	}
}
