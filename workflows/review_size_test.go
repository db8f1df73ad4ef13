package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// largestReview is a council that reviews the longest proposals: its own, or those of its request.
type largestReview struct {
	largest

	rounds int
	given  int
	stops  bool // two clients send stop_now while the last review runs
}

func (l largestReview) request(t *testing.T) contract.Request {
	t.Helper()
	request := withReview(timeout(l.largest.request(), 600), l.rounds)
	patience := 600
	request.Protocol.Patience = &patience
	if l.given == 0 {
		return request
	}
	request.TaskDescription = "d"
	for i := range l.given {
		request.Proposals = append(request.Proposals, contract.Proposal{ID: fmt.Sprintf("%02dp", i) + l.text(domain.MaxName-8), Author: l.name(i)})
	}
	text := l.text(min(64<<10, (510<<10-len(encode(t, request)))/l.given))
	for i := range request.Proposals {
		request.Proposals[i].Text = text
	}
	return request
}

func (l largestReview) script(request domain.DeliberationRequest) func(contract.TurnRef) fakes.Script {
	proposal, critiques := request.AnswerMaximum(domain.Revise)-8, request.AnswerMaximum(domain.PeerReview)
	return func(ref contract.TurnRef) fakes.Script {
		if ref.Phase == domain.Revise {
			return fakes.Replies(fakes.Answer(l.text(proposal), 0.5))
		}
		if l.stops && ref.Round == l.rounds+1 && ref.AgentID == l.name(0) {
			return fakes.Script{fakes.Never()}
		}
		script := disagreeing(ref)
		for i := range script[0].Value.Review.Notes {
			script[0].Value.Review.Notes[i].Critique = l.text(max(0, critiques/len(ref.Reads)-50))
		}
		return script
	}
}

func TestReview_TheLargestCouncilFitsItsPayloads(t *testing.T) {
	for _, l := range []largestReview{
		{largest: largest{agents: 7}, rounds: 1},
		{largest: largest{agents: 7}, rounds: 3, stops: true},
		{largest: largest{agents: 16}, rounds: 1},
		{largest: largest{agents: 64}, rounds: 1},
		{largest: largest{agents: 64}, rounds: 3},
		{largest: largest{agents: 64, away: 1}, rounds: 3},
		{largest: largest{agents: 64, away: 9}, rounds: 3},
		{largest: largest{agents: 2}, rounds: 3, given: 7},
		{largest: largest{agents: 7}, rounds: 3, given: 8},
		{largest: largest{agents: 16}, rounds: 1, given: 64, stops: true},
	} {
		l.template, l.unit, l.idUnit = 1, "<", "<"
		t.Run(fmt.Sprintf("%d agents, %d rounds, %d given, stops %t, away %d", l.agents, l.rounds, l.given, l.stops, l.away), func(t *testing.T) {
			t.Parallel()
			l.fits(t)
		})
	}
}

func (l largestReview) fits(t *testing.T) {
	t.Helper()
	s := newStage(t)
	s.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: l.id(), TaskQueue: contract.DefaultTaskQueue})
	request := l.request(t)
	parsed, err := request.Parse()
	require.NoError(t, err)
	for _, agent := range request.Agents {
		s.Ray.Agents[agent.AgentID] = fakes.Replies(fakes.Answer(l.text(parsed.Domain.AnswerMaximum(domain.Propose)-8), 0.5))
	}
	s.Ray.PhaseScript = l.script(parsed.Domain)
	s.NATS.ReplyTo = away(l.away)
	weigh := func(what string, value any) { require.Less(t, len(encode(t, value)), payload, what) }
	var left contract.OutboxInput
	s.onOutbox(func(in contract.OutboxInput) { left = in })
	s.at(100*time.Second, func() {
		weigh("status", s.status())
		weigh("current details", s.details())
	})
	var answers []*stopAnswer
	if l.stops {
		answers = append(answers, s.stopNowAt(101*time.Second, "one"), s.stopNowAt(101*time.Second, "two"))
	}

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	weigh("result", result)
	weigh("outbox", left)
	weigh("status", s.status())
	weigh("current details", s.details())
	for _, answer := range answers {
		require.True(t, answer.done)
		require.Equal(t, domain.StopStopped, answer.result.StopReason)
		weigh("answer of stop_now", answer.result)
	}
	for _, in := range s.Ray.Submitted {
		require.Less(t, len(encode(t, in)), 1_900_000, "a submit")
	}
	for _, in := range s.NATS.Inputs {
		weigh("PublishEvents", in)
	}
	require.Equal(t, domain.EventStarted, s.NATS.Stored[0].Kind)
	require.Equal(t, domain.EventCompleted, s.NATS.Stored[len(s.NATS.Stored)-1].Kind)
}
