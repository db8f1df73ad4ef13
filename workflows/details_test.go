package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestDetails_ShowTheRoundTheMatrixAndWhoIsWaitedFor(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		switch {
		case ref.Phase == domain.PeerReview && ref.AgentID == "agent-3":
			return fakes.Replies(disagreeing(ref)[0].After(time.Minute))
		case ref.Phase == domain.PeerReview && ref.AgentID == "agent-2":
			return fakes.Replies(fakes.Failure(domain.ModelRejected, false))
		}
		return disagreeing(ref)
	}
	during := ""
	s.at(30*time.Second, func() { during = s.details() })

	_, err := s.runAndExpectNothingLeft(withReview(fakes.Council(3), 0))

	require.NoError(t, err)
	require.Contains(t, during, "Phase: review, round 1 of 1\n\nWaiting for: agent-3\n\n| # |")
	require.Contains(t, during, "| reviews, round 1 | P1, agent-1 | P2, agent-2 | P3, agent-3 |\n|---|---|---|---|\n")
	require.Regexp(t, `(?m)^\| agent-1 \| – \| [0-9.]+, blocked \| [0-9.]+, blocked \|$`, during, "nobody reviews its own")
	require.Contains(t, during, "| agent-2 | failed | failed | failed |")
	require.NotContains(t, during, "| agent-3 | –")
	require.Regexp(t, `(?m)^\| agent-3 \| [0-9.]+, blocked \| [0-9.]+, blocked \| – \|$`, s.details())
	require.NotContains(t, s.details(), "Waiting for")
}

func TestDetails_LeaveALargeMatrixToTheResult(t *testing.T) {
	s := newStage(t)
	_, err := s.runAndExpectNothingLeft(withReview(fakes.Council(13), 0))
	require.NoError(t, err)
	require.Contains(t, s.details(), "Round 1: 13 reviews of 13 texts; the result has them all")
}

func TestDetails_NameSomeOfManyThatAreWaitedFor(t *testing.T) {
	s := newStage(t)
	for _, agent := range fakes.Council(20).Agents {
		s.Ray.Agents[agent.AgentID] = fakes.Replies(fakes.Answer("p", 0.5).After(time.Minute))
	}
	during := ""
	s.at(30*time.Second, func() { during = s.details() })
	_, err := s.runAndExpectNothingLeft(fakes.Council(20))
	require.NoError(t, err)
	require.Contains(t, during, "agent-8, and 12 more\n")
	require.Equal(t, 1, strings.Count(during, "Waiting for"))
}

func TestDetails_ShowWhatRaySaysWhileThereIsNoRoom(t *testing.T) {
	s := newStage(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Delay: time.Minute}}
	during := ""
	s.at(30*time.Second, func() { during = s.details() })
	_, err := s.runAndExpectNothingLeft(fakes.Council(2))
	require.NoError(t, err)
	require.Contains(t, during, "Phase: queued\n\n")
}

func TestDetails_ShowTheVotes(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Vote("4|2", 0.5))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Vote("4|2", 0.7))
	_, err := s.runAndExpectNothingLeft(inMode(fakes.Council(2), domain.ModeVote))
	require.NoError(t, err)
	require.Contains(t, s.details(), "| answer | votes | mean score |\n|---|---|---|\n| 4\\|2 | 2 | 0.60 |")
}
