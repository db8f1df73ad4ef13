//go:build integration

package workflows_test

import (
	"errors"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

var unavailable = fakes.Failure(domain.ModelUnavailable, true)

// both gives two agents the same script.
func (r *recording) both(script fakes.Script) {
	r.Ray.Agents["agent-1"], r.Ray.Agents["agent-2"] = script, script
}

// proposalPaths are the paths of a council that only proposes.
var proposalPaths = map[string]path{
	"happy":          {given: func(r *recording) { r.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("best", 0.9)) }},
	"without_events": {given: func(r *recording) { r.environment.Current.Events, r.environment.Current.Attributes = false, nil }},
	"retry_then_success": {given: func(r *recording) {
		r.Ray.Agents["agent-2"] = fakes.Replies(unavailable, unavailable, fakes.Answer("at last", 0.7))
	}},
	"cut_off": {given: func(r *recording) {
		r.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.Truncated, true), fakes.Answer("shorter", 0.7))
	}},
	"one_agent_fails": {given: func(r *recording) {
		r.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ContextTooLong, false))
	}},
	"all_fail":          {given: func(r *recording) { r.both(fakes.Replies(fakes.Failure(domain.ModelRejected, false))) }, ends: "DeliberationFailed"},
	"lost_then_success": {given: func(r *recording) { r.Ray.Agents["agent-1"] = fakes.Replies(fakes.Lost(), fakes.Answer("again", 0.7)) }},
	"lost_repeatedly":   {given: func(r *recording) { r.Ray.Agents["agent-1"] = fakes.Replies(fakes.Lost()) }},
	"out_of_reach": {
		given: func(r *recording) { r.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable()) },
		during: func(r *recording, _ client.WorkflowRun) {
			r.eventually(r.awaiting(4))
			r.Ray.Look(func() { r.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("again", 0.7)) })
		},
	},
	"placed_elsewhere": {
		given: func(r *recording) {
			r.onTwoClusters()
			r.both(fakes.Replies(fakes.Unreachable(), fakes.Answer("from b", 0.7).After(2*time.Second)))
		},
	},
	"placed_elsewhere_in_queue": {
		given: func(r *recording) {
			r.environment.Current.Clusters = []domain.ClusterState{{Name: "a"}, {Name: "b", Up: true, Room: true}}
			r.environment.Current.Grace = time.Minute
			elsewhere := contract.SubmitTurnsResult{Refusal: "the runner is full", Elsewhere: true}
			r.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Value: elsewhere}}
		},
	},
	"left_on_a_cluster_that_stays_away": {
		given: func(r *recording) {
			r.onTwoClusters()
			r.Ray.Away = func(cluster string) bool { return cluster == "a" }
			r.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable(), fakes.Answer("from b", 0.7).After(2*time.Second))
		},
		beyond: true,
	},
	"deadline_with_quorum": {
		request: timeout(fakes.Council(2), 2), given: func(r *recording) { r.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()} },
	},
	"deadline_without_quorum": {
		request: timeout(fakes.Council(2), 2), given: func(r *recording) { r.both(fakes.Script{fakes.Never()}) }, ends: "DeadlineExceeded",
	},
	"queue_timeout": {
		given: func(r *recording) {
			r.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Value: contract.SubmitTurnsResult{Refusal: "503: runner_full"}}}
		},
		ends: "DeadlineExceeded",
	},
	"submit_denied": {
		given: func(r *recording) {
			r.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Err: fakes.Fatal(domain.RayDenied)}}
		},
		ends: "DeliberationFailed",
	},
	"cancelled": {
		given: func(r *recording) { r.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()} },
		during: func(r *recording, run client.WorkflowRun) {
			r.eventually(r.awaiting(2))
			require.NoError(r, r.client.CancelWorkflow(r.Context(), run.GetID(), run.GetRunID()))
		},
		ends: "canceled",
	},
	"cancelled_in_queue": {
		given: func(r *recording) {
			r.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Delay: fakes.Forever}}
		},
		during: func(r *recording, run client.WorkflowRun) {
			r.eventually(func() bool { return len(r.Ray.Live()) == 2 })
			require.NoError(r, r.client.CancelWorkflow(r.Context(), run.GetID(), run.GetRunID()))
		},
		ends: "canceled",
	},
	"cancelled_between_attempts": {
		given: func(r *recording) {
			r.Ray.Agents["agent-1"], r.Ray.Agents["agent-2"] = fakes.Replies(unavailable), fakes.Script{fakes.Never()}
		},
		during: func(r *recording, run client.WorkflowRun) {
			r.eventually(r.awaiting(3))
			require.NoError(r, r.client.CancelWorkflow(r.Context(), run.GetID(), run.GetRunID()))
		},
		ends: "canceled",
	},
	"queue_without_an_answer": { // a minute after the queue's own timeout
		request: queueTimeout(fakes.Council(2), 1),
		given: func(r *recording) {
			for range 100 {
				r.Ray.SubmitReplies = append(r.Ray.SubmitReplies, fakes.Reply[contract.SubmitTurnsResult]{Err: errors.New("no cluster of that name is configured")})
			}
		},
		ends: "last refusal: local: no cluster of that name is configured",
	},
	"no_worker_beyond_the_deadline": {
		request: timeout(fakes.Council(2), 1), given: func(r *recording) { r.both(fakes.Script{fakes.Never()}) },
		during: func(r *recording, run client.WorkflowRun) {
			r.eventually(r.awaiting(2))
			r.stopWork()
			r.awaitTimeouts(run, 2)
			r.work()
		},
		ends: "by the deadline of 1 s",
	},
	"stop_without_an_answer": {
		request: timeout(fakes.Council(2), 1), beyond: true,
		given: func(r *recording) {
			r.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}
			hangs := fakes.Reply[contract.StopTurnsResult]{Delay: fakes.Forever}
			r.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{hangs, hangs, hangs}
		},
	},
	"moved_twice": {
		given: func(r *recording) {
			r.onTwoClusters()
			r.environment.Current.Clusters = append(r.environment.Current.Clusters, domain.ClusterState{Name: "c", Up: true, Room: true})
			r.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable(), fakes.Unreachable(), fakes.Answer("from c", 0.7))
		},
	},
	"moved_during_a_delay": {
		given: func(r *recording) {
			r.onTwoClusters()
			r.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable().After(3*time.Second), fakes.Answer("from b", 0.9))
			r.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true).After(2500*time.Millisecond), fakes.Answer("from b too", 0.5))
		},
	},
	"told_once": { // by the stop on each cluster
		request: timeout(fakes.Council(1), 2),
		given: func(r *recording) {
			r.onTwoClusters()
			late := fakes.Answer("from a, too late", 1).Value
			r.Ray.Agents["agent-1"] = fakes.Script{
				{Reply: fakes.Unreachable(), AtStop: &late}, {Reply: fakes.Reply[contract.TurnOutcome]{Delay: fakes.Forever}, AtStop: &late},
			}
			r.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, {Delay: fakes.Forever}}
		},
	},
	"invalid_request": {request: contract.RequestText([]byte(`{"task_id":""}`)), ends: "InvalidRequest"},
	"null_request":    {request: contract.RequestText([]byte(`null`)), ends: "InvalidRequest"},
	"longest_names":   {request: longestNames()},
}
