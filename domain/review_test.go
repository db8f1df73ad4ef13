package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestAReviewFitsAndStillBlocksWhatItBlocked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var review domain.Review
		for range rapid.IntRange(1, 128).Draw(t, "notes") {
			review.Notes = append(review.Notes, domain.Note{
				Critique: rapid.StringN(0, 50, -1).Draw(t, "critique"),
				Blocking: rapid.SliceOfN(rapid.StringN(1, 50, -1), 0, 3).Draw(t, "blocking"),
			})
		}
		limit := rapid.IntRange(0, 10_000).Draw(t, "limit")
		fitted, cut := review.Fit(limit)
		size, whole := 0, true
		for i, note := range fitted.Notes {
			require.Equal(t, len(review.Notes[i].Blocking) > 0, len(note.Blocking) > 0)
			size += domain.EncodedSize(note.Critique)
			for _, issue := range note.Blocking {
				size += domain.EncodedSize(issue)
			}
			whole = whole && note.Critique == review.Notes[i].Critique && len(note.Blocking) == len(review.Notes[i].Blocking)
		}
		require.LessOrEqual(t, size, limit+24*len(review.Notes))
		if !whole {
			require.True(t, cut)
		}
	})
}

func TestEveryCouncilHasRoomForCritiques(t *testing.T) {
	for _, review := range []string{domain.ReviewPeer, domain.ReviewJudge} {
		for agents := 2; agents <= domain.MaxAgents; agents++ {
			for rounds := range 4 {
				spec := specOf(agents)
				spec.Protocol.Review, spec.Protocol.Rounds, spec.Protocol.JudgeModel = review, rounds, "judge"
				request := requestOf(t, spec)
				notes := min(agents, 6)
				if review == domain.ReviewJudge {
					notes = agents
				}
				if rounds > 0 {
					notes *= 2
				}
				long := strings.Repeat("x", 1000)
				given := domain.Review{Notes: make([]domain.Note, notes)}
				for i := range given.Notes {
					given.Notes[i] = domain.Note{Critique: long, Blocking: []string{long}}
				}
				fitted, _ := given.Fit(request.AnswerMaximum(domain.PeerReview))
				require.Greater(t, len(fitted.Notes[notes-1].Critique), 40, "%s, %d agents, %d rounds", review, agents, rounds)
				require.Greater(t, request.AnswerMaximum(domain.Propose), 2_000)
			}
		}
	}
}
