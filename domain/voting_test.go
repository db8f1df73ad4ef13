package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// voting is a council that votes, with one answer and score for each agent.
func voting(t *testing.T, answers []string, scores ...float64) domain.CouncilResult {
	t.Helper()
	spec := specOf(len(answers))
	spec.Protocol.Mode = domain.ModeVote
	council, turns := asked(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
	for i, answer := range answers {
		outcome := completed("it is "+answer, scores[i], 1)
		outcome.Answer = outcome.Answer.WithShort(answer)
		council = take(council, turns[i], outcome)
	}
	return council.Rank()
}

func TestTheMajorityWins(t *testing.T) {
	result := voting(t, []string{"41", "42", "42.0", " 42. "}, 0.99, 0.1, 0.3, 0.2)

	require.Equal(t, domain.RankedByVotes, result.Basis())
	require.Equal(t, []domain.Vote{
		{Answer: "42.0", Agents: []string{"agent-3", "agent-4", "agent-2"}, Score: 0.6 / 3},
		{Answer: "41", Agents: []string{"agent-1"}, Score: 0.99},
	}, rounded(result.Votes()))
	best, _ := result.Best()
	require.Equal(t, "agent-3", best.Agent().ID(), "the best of the majority")
	require.Equal(t, "agent-1", result.Results()[3].Agent().ID())
}

func rounded(votes []domain.Vote) []domain.Vote {
	for i := range votes {
		if votes[i].Score > 0.19 && votes[i].Score < 0.21 {
			votes[i].Score = 0.6 / 3
		}
	}
	return votes
}

func TestATieIsDecidedByScoreAndThenByAStableHash(t *testing.T) {
	require.Equal(t, "b", voting(t, []string{"a", "b"}, 0.4, 0.5).Votes()[0].Answer)
	first := voting(t, []string{"a", "b"}, 0.5, 0.5).Votes()[0].Answer
	require.Equal(t, first, voting(t, []string{"b", "a"}, 0.5, 0.5).Votes()[0].Answer, "the order of the agents doesn't matter")
}

func TestAnswersThatAreTheSame(t *testing.T) {
	for _, same := range [][]string{
		{"Paris", " paris.", `"PARIS"`, "**Paris**"}, {"042.50", "42.5", "+42.5"}, {"-0", "0", "0.00"}, {"token  bucket", "Token bucket"},
	} {
		for _, other := range same[1:] {
			require.Len(t, voting(t, []string{same[0], other}, 0.5, 0.5).Votes(), 1, other)
		}
	}
	for _, different := range [][2]string{{"4", "40"}, {"-4", "4"}, {"0.5", "5"}, {"yes", "no"}} {
		require.Len(t, voting(t, different[:], 0.5, 0.5).Votes(), 2, different)
	}
}

func TestAnAnswerIsReadWithItsVote(t *testing.T) {
	read := func(text string, votes bool) domain.Outcome {
		seen := domain.Observation{State: domain.RayCompleted, Completion: domain.Completion{Text: text, FinishReason: "stop"}}
		return domain.OutcomeOf(domain.Handle{TurnID: "t"}, seen, domain.Reading{Kind: domain.Propose, Votes: votes}, decodeJSON, 1000)
	}
	for text, want := range map[string]string{
		`{"proposal":"p","reasoning":"r","score":0.5,"answer":" 42 "}`: "42",
		`{"proposal":"p","score":0.5,"answer":42}`:                     "42",
		`{"proposal":"p","score":0.5,"answer":true}`:                   "true",
		`forty-two`: "forty-two",
	} {
		require.Equal(t, domain.OutcomeCompleted, read(text, true).Kind, text)
		require.Equal(t, want, read(text, true).Answer.Short(), text)
		require.Empty(t, read(text, false).Answer.Short(), "nobody counts it")
	}
	for _, text := range []string{
		`{"proposal":"p","score":0.5}`, `{"proposal":"p","answer":""}`, `{"proposal":"p","answer":null}`, `{"proposal":"p","answer":{"a":1}}`,
		`{"proposal":"p","answer":"a\nb"}`, `{"proposal":"p","answer":"<the result alone>"}`, "a long\ntext",
	} {
		outcome := read(text, true)
		require.Equal(t, domain.OutcomeFailed, outcome.Kind, text)
		require.Equal(t, domain.InvalidOutput, outcome.Failure.Kind())
		require.True(t, outcome.Failure.Retryable(), "it is asked for again")
		require.Equal(t, domain.OutcomeCompleted, read(text, false).Kind, text)
	}
}

func TestOnlyACouncilThatVotesAsksForAnAnswer(t *testing.T) {
	spec := specOf(1)
	plain := requestOf(t, spec)
	spec.Protocol.Mode = domain.ModeVote
	votes := requestOf(t, spec)
	ask := func(request domain.DeliberationRequest) (domain.Ask, string) {
		turn := request.Turn(domain.RunKey{}, domain.Assignment{Phase: domain.Phase{Kind: domain.Propose}, Agent: request.Agents()[0]})
		return request.Ask(turn, domain.Texts{}), request.CommonTexts(domain.Propose, domain.Texts{})[domain.CommonTask]
	}
	without, prompt := ask(plain)
	require.NotContains(t, without.Form.Schema, `"answer"`)
	require.NotContains(t, prompt, "answer: only the result")
	with, prompt := ask(votes)
	require.Contains(t, with.Form.Schema, `"answer":{"type":"string"}`)
	require.Contains(t, prompt, "answer: only the result")
	require.NotEqual(t, without.TurnID, with.TurnID, "it is other work")
}
