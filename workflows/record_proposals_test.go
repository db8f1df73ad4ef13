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
func (w *world) both(script fakes.Script) {
	w.Ray.Agents["agent-1"], w.Ray.Agents["agent-2"] = script, script
}

// proposalPaths are the paths of a council that only proposes.
var proposalPaths = map[string]path{
	"happy":          {given: func(w *world) { w.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("best", 0.9)) }},
	"without_events": {given: func(w *world) { w.environment.Current.Events, w.environment.Current.Attributes = false, nil }},
	"retry_then_success": {given: func(w *world) {
		w.Ray.Agents["agent-2"] = fakes.Replies(unavailable, unavailable, fakes.Answer("at last", 0.7))
	}},
	"cut_off": {given: func(w *world) {
		w.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.Truncated, true), fakes.Answer("shorter", 0.7))
	}},
	"one_agent_fails":   {given: func(w *world) { w.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ContextTooLong, false)) }},
	"all_fail":          {given: func(w *world) { w.both(fakes.Replies(fakes.Failure(domain.ModelRejected, false))) }, ends: "DeliberationFailed"},
	"lost_then_success": {given: func(w *world) { w.Ray.Agents["agent-1"] = fakes.Replies(fakes.Lost(), fakes.Answer("again", 0.7)) }},
	"lost_repeatedly":   {given: func(w *world) { w.Ray.Agents["agent-1"] = fakes.Replies(fakes.Lost()) }},
	"out_of_reach": {
		given: func(w *world) { w.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable()) },
		during: func(w *world, _ client.WorkflowRun) {
			w.eventually(w.awaiting(4))
			w.Ray.Look(func() { w.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("again", 0.7)) })
		},
	},
	"placed_elsewhere": {
		given: func(w *world) {
			w.onTwoClusters()
			w.both(fakes.Replies(fakes.Unreachable(), fakes.Answer("from b", 0.7).After(2*time.Second)))
		},
	},
	"placed_elsewhere_in_queue": {
		given: func(w *world) {
			w.environment.Current.Clusters = []domain.ClusterState{{Name: "a"}, {Name: "b", Up: true, Room: true}}
			w.environment.Current.Grace = time.Minute
			elsewhere := contract.SubmitTurnsResult{Refusal: "the runner is full", Elsewhere: true}
			w.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Value: elsewhere}}
		},
	},
	"left_on_a_cluster_that_stays_away": {
		given: func(w *world) {
			w.onTwoClusters()
			w.Ray.Away = func(cluster string) bool { return cluster == "a" }
			w.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable(), fakes.Answer("from b", 0.7).After(2*time.Second))
		},
		beyond: true,
	},
	"deadline_with_quorum": {
		request: timeout(fakes.Council(2), 2), given: func(w *world) { w.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()} },
	},
	"deadline_without_quorum": {
		request: timeout(fakes.Council(2), 2), given: func(w *world) { w.both(fakes.Script{fakes.Never()}) }, ends: "DeadlineExceeded",
	},
	"queue_timeout": {
		given: func(w *world) {
			w.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Value: contract.SubmitTurnsResult{Refusal: "503: runner_full"}}}
		},
		ends: "DeadlineExceeded",
	},
	"submit_denied": {
		given: func(w *world) {
			w.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Err: fakes.Fatal(domain.RayDenied)}}
		},
		ends: "DeliberationFailed",
	},
	"cancelled": {
		given: func(w *world) { w.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()} },
		during: func(w *world, run client.WorkflowRun) {
			w.eventually(w.awaiting(2))
			require.NoError(w, w.client.CancelWorkflow(w.Context(), run.GetID(), run.GetRunID()))
		},
		ends: "canceled",
	},
	"cancelled_in_queue": {
		given: func(w *world) {
			w.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Delay: fakes.Forever}}
		},
		during: func(w *world, run client.WorkflowRun) {
			w.eventually(func() bool { return len(w.Ray.Live()) == 2 })
			require.NoError(w, w.client.CancelWorkflow(w.Context(), run.GetID(), run.GetRunID()))
		},
		ends: "canceled",
	},
	"cancelled_between_attempts": {
		given: func(w *world) {
			w.Ray.Agents["agent-1"], w.Ray.Agents["agent-2"] = fakes.Replies(unavailable), fakes.Script{fakes.Never()}
		},
		during: func(w *world, run client.WorkflowRun) {
			w.eventually(w.awaiting(3))
			require.NoError(w, w.client.CancelWorkflow(w.Context(), run.GetID(), run.GetRunID()))
		},
		ends: "canceled",
	},
	"queue_without_an_answer": { // a minute after the queue's own timeout
		request: queueTimeout(fakes.Council(2), 1),
		given: func(w *world) {
			for range 100 {
				w.Ray.SubmitReplies = append(w.Ray.SubmitReplies, fakes.Reply[contract.SubmitTurnsResult]{Err: errors.New("no cluster of that name is configured")})
			}
		},
		ends: "last refusal: local: no cluster of that name is configured",
	},
	"no_worker_beyond_the_deadline": {
		request: timeout(fakes.Council(2), 1), given: func(w *world) { w.both(fakes.Script{fakes.Never()}) },
		during: func(w *world, run client.WorkflowRun) {
			w.eventually(w.awaiting(2))
			w.stopWork()
			w.awaitTimeouts(run, 2)
			w.work()
		},
		ends: "by the deadline of 1 s",
	},
	"stop_without_an_answer": {
		request: timeout(fakes.Council(2), 1), beyond: true,
		given: func(w *world) {
			w.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}
			hangs := fakes.Reply[contract.StopTurnsResult]{Delay: fakes.Forever}
			w.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{hangs, hangs, hangs}
		},
	},
	"moved_twice": {
		given: func(w *world) {
			w.onTwoClusters()
			w.environment.Current.Clusters = append(w.environment.Current.Clusters, domain.ClusterState{Name: "c", Up: true, Room: true})
			w.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable(), fakes.Unreachable(), fakes.Answer("from c", 0.7))
		},
	},
	"moved_during_a_delay": {
		given: func(w *world) {
			w.onTwoClusters()
			w.Ray.Agents["agent-1"] = fakes.Replies(fakes.Unreachable().After(3*time.Second), fakes.Answer("from b", 0.9))
			w.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true).After(2500*time.Millisecond), fakes.Answer("from b too", 0.5))
		},
	},
	"told_once": { // by the stop on each cluster
		request: timeout(fakes.Council(1), 2),
		given: func(w *world) {
			w.onTwoClusters()
			late := fakes.Answer("from a, too late", 1).Value
			w.Ray.Agents["agent-1"] = fakes.Script{
				{Reply: fakes.Unreachable(), AtStop: &late}, {Reply: fakes.Reply[contract.TurnOutcome]{Delay: fakes.Forever}, AtStop: &late},
			}
			w.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, {Delay: fakes.Forever}}
		},
	},
	"invalid_request": {request: contract.RequestText([]byte(`{"task_id":""}`)), ends: "InvalidRequest"},
	"null_request":    {request: contract.RequestText([]byte(`null`)), ends: "InvalidRequest"},
	"longest_names":   {request: longestNames()},
}
