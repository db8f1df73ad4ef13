package workflows_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// largest is a deliberation in which everything has the largest legal size.
type largest struct {
	agents   int
	template int
	unit     string // repeated in the texts
	idUnit   string // repeated in the workflow id
	failing  int    // agents with the longest message instead of the longest answer
	late     bool   // the answers come with the stop
	away     int    // how many publishing tries fail
}

// text returns a text whose JSON has this size, or just less.
func (l largest) text(size int) string {
	return strings.Repeat(l.unit, size/domain.EncodedSize(l.unit))
}

// name returns a name of the longest legal length, another one for each number.
func (l largest) name(i int) string { return fmt.Sprintf("%02d", i) + l.text(domain.MaxName-2) }

func (l largest) request() contract.Request {
	metadata := map[string]string{}
	for i := range 32 {
		metadata[fmt.Sprintf("k%02d", i)] = l.text(1021)
	}
	request := contract.Request{
		TaskID: l.name(0), Role: l.name(0), TaskDescription: "d" + l.text(domain.MaxDescription-1),
		Constraints: contract.Constraints{StoryID: l.name(0), PlanID: l.name(0), Metadata: metadata},
		VLLMURL:     "http://vllm:8000", VLLMModel: l.name(0),
	}
	for i := range l.agents {
		request.Agents = append(request.Agents, contract.Agent{
			AgentID: l.name(i), Role: l.name(i), Model: l.name(i), PromptTemplate: "t" + l.text(l.template-1),
		})
	}
	return request
}

func (l largest) id() string { return "d" + strings.Repeat(l.idUnit, 999/len(l.idUnit)) }

func (l largest) outcome(agent int) contract.TurnOutcome {
	said := fakes.Answer("p"+l.text(domain.AnswerMaximum(l.agents)-8), 0.5).Value
	said.Reasoning = "because"
	if agent < l.failing {
		said = fakes.Failure(domain.ModelRejected, false).Value
		said.Message = l.text(domain.MaxMessage)
	}
	said.Metadata = map[string]string{
		"submission_id": "t" + strings.Repeat("a", 26), "cluster": l.name(0), "finish_reason": "stop",
		"response_format": "json_schema", "parse": "score_invalid", "truncated": "true",
	}
	return said
}

// fits runs the deliberation and checks the size of every payload.
func (l largest) fits(t *testing.T) {
	t.Helper()
	s := newStage(t)
	s.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: l.id(), TaskQueue: contract.DefaultTaskQueue})
	request := l.request()
	answers := []contract.TurnOutcome{}
	for i, agent := range request.Agents {
		said := l.outcome(i)
		answers = append(answers, said)
		s.Ray.Agents[agent.AgentID] = fakes.Script{{Reply: fakes.Reply[contract.TurnOutcome]{Value: said}}}
		if l.late {
			s.Ray.Agents[agent.AgentID] = fakes.Script{{Reply: fakes.Never().Reply, AtStop: &said}}
		}
	}
	s.NATS.ReplyTo = away(l.away)
	weigh := func(what string, value any) { require.Less(t, len(encode(t, value)), payload, what) }
	var left contract.OutboxInput
	s.onOutbox(func(in contract.OutboxInput) { left = in })

	result, err := s.runAndExpectNothingLeft(timeout(request, 60))

	require.NoError(t, err)
	weigh("result", result)
	weigh("outbox", left)
	weigh("all answers", answers)
	weigh("status", s.status())
	for i, in := range s.Ray.Submitted {
		weigh("SubmitTurns", in)
		require.Equal(t, i == 0, in.Brief != nil, "only the first submit carries the texts")
	}
	for _, in := range s.NATS.Inputs {
		weigh("PublishEvents", in)
	}
	for _, said := range s.Ray.Stops {
		weigh("StopTurns", said)
	}
	require.Equal(t, domain.EventCompleted, s.NATS.Stored[len(s.NATS.Stored)-1].Kind)
	if l.away > 6 {
		require.Len(t, left.Events, 1+l.agents+1, "every event is kept, though some without their texts")
	}
}

func TestBounds_NoLegalRequestOutgrowsAPayload(t *testing.T) {
	require.NoError(t, flag.Set("rapid.checks", "8"))
	t.Cleanup(func() { require.NoError(t, flag.Set("rapid.checks", "100")) })
	units := rapid.SampledFrom([]string{"x", "<", "\x01", "議", "\"", "é", "\u2028", "🎯", "\ufffd"})
	rapid.Check(t, func(r *rapid.T) {
		l := largest{
			agents: rapid.SampledFrom([]int{1, 15, 16, 17, 64}).Draw(r, "agents"), unit: units.Draw(r, "unit"),
			idUnit: units.Draw(r, "id unit"), late: rapid.Bool().Draw(r, "late"), away: rapid.IntRange(0, 9).Draw(r, "away"),
		}
		l.template = rapid.IntRange(1, min(domain.MaxTemplate, (150<<10)/l.agents)).Draw(r, "template")
		l.failing = rapid.IntRange(0, l.agents-1).Draw(r, "failing")
		l.fits(t)
	})
}

func TestBounds_TheLargestOfAllFits(t *testing.T) {
	for _, agents := range []int{1, 16, 64} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d agents, late %t", agents, late), func(t *testing.T) {
				t.Parallel()
				largest{
					agents: agents, template: min(domain.MaxTemplate, (150<<10)/agents),
					unit: "<", idUnit: "<", late: late, away: 9,
				}.fits(t)
			})
		}
		t.Run(fmt.Sprintf("%d agents, events in a heap", agents), func(t *testing.T) {
			t.Parallel()
			largest{agents: agents, template: 1, unit: "<", idUnit: "<", away: 1}.fits(t)
		})
	}
}

func TestBounds_TheLongestDeliberation(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Script{fakes.Never()}
	_, err := s.runAndExpectNothingLeft(timeout(fakes.Council(1), 86400))
	kind, _, _ := failed(t, err)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Equal(t, 86460, s.Ray.Submitted[0].RunSeconds)
	require.Equal(t, time.Hour, s.Ray.Submitted[0].GiveUpAt.Sub(*s.status().StartedAt))
}
