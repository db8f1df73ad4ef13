package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// fullest is a council whose every text is as long as it may be.
type fullest struct {
	request domain.DeliberationRequest
	failing bool // every other review and revision fails
}

func TestTheLargestResultFitsItsPayload(t *testing.T) {
	for _, review := range []string{domain.ReviewNone, domain.ReviewPeer, domain.ReviewJudge} {
		for _, agents := range []int{2, 6, 7, 16, 32, 64} {
			for rounds := range 4 {
				for _, failing := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %d agents, %d rounds, failing %v", review, agents, rounds, failing), func(t *testing.T) {
						t.Parallel()
						for _, mode := range []string{domain.ModeVote, domain.ModeSynthesize} {
							fullest{request: requestOf(t, longNames(mode, review, agents, rounds)), failing: failing}.weigh(t)
						}
					})
				}
			}
		}
	}
}

func TestTheLargestResultWithGivenProposalsFitsItsPayload(t *testing.T) {
	for _, review := range []string{domain.ReviewPeer, domain.ReviewJudge} {
		for _, agents := range []int{2, 7, 64} {
			for _, given := range []int{2, 7, 8, 64} {
				for rounds := range 4 {
					t.Run(fmt.Sprintf("%s, %d agents, %d proposals, %d rounds", review, agents, given, rounds), func(t *testing.T) {
						t.Parallel()
						for _, authors := range []int{0, agents} {
							spec := withGiven(longNames(domain.ModeSynthesize, review, agents, rounds), given, authors)
							fullest{request: requestOf(t, spec)}.weigh(t)
						}
					})
				}
			}
		}
	}
}

// weigh plays the council, and weighs what clients can ask for. Temporal serves the current details by a query, so the
// limit of an answer is theirs too.
func (f fullest) weigh(t *testing.T) {
	t.Helper()
	d := &deliberation{
		run:     run{key: domain.RunKey{WorkflowID: strings.Repeat("w", 1000), OriginalRunID: "r"}, id: "r", started: time.Now()},
		council: f.play(), clock: &clock{},
		shown: shown{status: domain.StatusRunning, phase: string(domain.PeerReview), round: 4, waitingFor: strings.Repeat("r", domain.MaxMessage)},
	}
	d.finish.planned = domain.StopRounds
	result := d.result(endDecided)
	d.shown.best = result.BestResult
	job, err := d.jobAt(time.Now())
	require.NoError(t, err)
	for what, answer := range map[string]any{
		"result, which stop_now answers too": result, "status": d.statusAt(time.Now()), "job": job, "current details": d.details(),
	} {
		text, err := json.Marshal(answer)
		require.NoError(t, err)
		require.Less(t, len(text), 2_000_000, what)
	}
}

func requestOf(t *testing.T, spec domain.RequestSpec) domain.DeliberationRequest {
	t.Helper()
	request, err := domain.NewDeliberationRequest(spec)
	require.NoError(t, err)
	return request
}

// withGiven lets the council judge proposals that fill the request together. The first ones are those of agents.
func withGiven(spec domain.RequestSpec, proposals, authors int) domain.RequestSpec {
	for i := range proposals {
		given := domain.GivenSpec{
			ID: fmt.Sprintf("g%0*d", domain.MaxName-1, i), Author: fmt.Sprintf("o%0*d", domain.MaxName-1, i),
			Text: strings.Repeat("z", min(64<<10, (500<<10)/proposals-3*domain.MaxName)),
		}
		if i < authors && i < len(spec.Agents) {
			given.Author = spec.Agents[i].AgentID
		}
		spec.Given = append(spec.Given, given)
	}
	return spec
}

// longNames is a request whose names have the greatest length.
func longNames(mode, review string, agents, rounds int) domain.RequestSpec {
	name := func(of string, i int) string { return fmt.Sprintf("%s%0*d", of, domain.MaxName-1, i) }
	spec := domain.RequestSpec{
		TaskID: name("t", 0), TaskDescription: "d", Role: name("r", 0), VLLMURL: "http://x:1/v1", VLLMModel: name("m", 0),
		Constraints: domain.ConstraintsSpec{StoryID: "s", PlanID: "p", TimeoutSeconds: 300, MaxRetries: 20, QueueTimeoutSeconds: 60},
		Protocol: domain.ProtocolSpec{
			Mode: mode, ChairModel: name("c", 0), Review: review, JudgeModel: name("j", 0), Rounds: rounds, Temperature: 0.7, MaxTokens: 2048, Rubric: map[string]float64{},
		},
	}
	for i := range 8 {
		spec.Protocol.Rubric[fmt.Sprintf("c%039d", i)] = float64(i) + 0.7
	}
	for i := range agents {
		spec.Agents = append(spec.Agents, domain.AgentSpec{AgentID: name("a", i), Role: name("r", i), Model: name("m", i)})
	}
	return spec
}

func (f fullest) play() domain.Council {
	council := domain.NewCouncil(f.request, domain.RunKey{WorkflowID: strings.Repeat("w", 200), OriginalRunID: "r"})
	for plan := council.Plan(); len(plan.Next) > 0; plan = council.Plan() {
		council = council.Assign(plan.Next)
		for i, assignment := range plan.Next {
			turn := council.Turn(assignment)
			council, _ = council.Take(turn, f.outcome(i, turn))
		}
	}
	return council
}

// long is longer than any text that may be in an answer.
var long = strings.Repeat("z", domain.AnswerMaximum(1)+1)

func (f fullest) outcome(i int, turn domain.Turn) domain.Outcome {
	phase := turn.Phase()
	switch {
	case f.failing && i%2 == 1 && phase.Kind != domain.Propose:
		return domain.GivenUp(domain.NewTurnFailure(domain.ModelUnavailable, long[:domain.MaxMessage], false))
	case phase.Kind == domain.PeerReview:
		return domain.Outcome{Kind: domain.OutcomeCompleted, Review: f.review(i, turn)}
	}
	short := ""
	if f.request.Protocol().Mode() == domain.ModeVote {
		short = fmt.Sprintf("%0*d", domain.MaxName, i+1) // no two are the same
	}
	answer, _ := domain.RestoredAnswer(long, "", 0.123456789012).WithShort(short).Fit(f.request.AnswerMaximum(phase.Kind))
	return domain.Outcome{Kind: domain.OutcomeCompleted, Answer: answer, Metadata: map[string]string{
		"submission_id": string(turn.ID()), "cluster": strings.Repeat("c", 60), "finish_reason": "stop", "response_format": "json_schema",
		"model": long[:domain.MaxName], "truncated": "true", "parse": "repaired", "score_given": long[:domain.MaxName],
	}}
}

// review blocks everything, and ranks in an order of its own, so that nobody agrees.
func (f fullest) review(i int, turn domain.Turn) domain.Review {
	reading := f.request.Reading(turn)
	var review domain.Review
	for at, id := range reading.Reads {
		marks := map[string]int{}
		for j, criterion := range reading.Criteria {
			marks[criterion] = 1 + (i+at+j)%5
		}
		review.Notes = append(review.Notes, domain.Note{Of: id, Marks: marks, Critique: long, Blocking: []string{long}})
		review.Ranking = append(review.Ranking, reading.Reads[(at+i)%len(reading.Reads)])
	}
	fitted, _ := review.Fit(f.request.AnswerMaximum(domain.PeerReview))
	return fitted
}

func TestTheClosingStepFitsItsPayload(t *testing.T) {
	in := contract.CloseDeliberationInput{TaskDescription: strings.Repeat("d", domain.MaxDescription)}
	handle := contract.Handle{TurnID: "tabcdefghijklmnopqrstuvwxyz", Cluster: strings.Repeat("c", 60), Runner: "runner/deliberation/0", Incarnation: strings.Repeat("0", 32)}
	for range mostForgotten {
		in.Forget = append(in.Forget, handle)
	}
	text, err := json.Marshal(in)
	require.NoError(t, err)
	require.Less(t, len(text)+lastBytes, 1_900_000)
}
