//go:build integration

package workflows_test

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// laterPhasePaths are the paths through reviews, revisions, votes and the chair.
var laterPhasePaths = map[string]path{
	"reviewed": {
		request: withReview(fakes.Council(3), 1), given: func(r *recording) { r.Ray.PhaseScript = disagreeing },
	},
	"review_waits_for_room": {
		request: withReview(fakes.Council(2), 0),
		given: func(r *recording) {
			full := fakes.Reply[contract.SubmitTurnsResult]{Value: contract.SubmitTurnsResult{Refusal: "503: runner_full"}}
			r.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, full, {Delay: 2 * time.Second}}
		},
	},
	"out_of_budget":   {request: withBudget(fakes.Council(3), 8), given: func(r *recording) { r.Ray.PhaseScript = disagreeing }},
	"given_proposals": {request: withGiven(fakes.Council(2)), given: func(r *recording) { r.Ray.PhaseScript = disagreeing }},
	"voted": {
		request: inMode(fakes.Council(3), domain.ModeVote),
		given: func(r *recording) {
			for agent, answer := range map[string]string{"agent-1": "41", "agent-2": "42", "agent-3": "42"} {
				r.Ray.Agents[agent] = fakes.Replies(fakes.Vote(answer, 0.5))
			}
		},
	},
	"synthesized": {request: inMode(fakes.Council(3), domain.ModeSynthesize)},
	"chair_failed": {
		request: inMode(fakes.Council(2), domain.ModeSynthesize),
		given: func(r *recording) {
			r.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Replies(fakes.Failure(domain.ModelRejected, false)) }
		},
	},
	"reviewers_agree": {
		request: withReview(fakes.Council(3), 1),
		given: func(r *recording) {
			r.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
				return fakes.Replies(fakes.Review(slices.Sorted(slices.Values(ref.Reads))...))
			}
		},
	},
	"review_retried": {
		request: withReview(fakes.Council(2), 0),
		given: func(r *recording) {
			r.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
				return append(fakes.Replies(fakes.Failure(domain.InvalidOutput, true)), fakes.LaterPhases(ref)...)
			}
		},
	},
	"review_closed_early": {
		request: withReview(timeout(fakes.Council(3), 8), 0),
		given: func(r *recording) {
			r.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
				if ref.AgentID == "agent-2" {
					return fakes.Script{fakes.Never()}
				}
				return fakes.LaterPhases(ref)
			}
		},
	},
	"reviews_failed": {
		request: withReview(fakes.Council(2), 1),
		given: func(r *recording) {
			r.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Replies(fakes.Failure(domain.ModelRejected, false)) }
		},
	},
	"cancelled_in_review": {
		request: withReview(fakes.Council(2), 1),
		given: func(r *recording) {
			r.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Script{fakes.Never()} }
		},
		during: func(r *recording, run client.WorkflowRun) {
			r.eventually(r.awaiting(4))
			require.NoError(r, r.client.CancelWorkflow(r.Context(), run.GetID(), run.GetRunID()))
		},
		ends: "canceled",
	},
}
