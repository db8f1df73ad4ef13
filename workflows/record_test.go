//go:build integration

package workflows_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// world is a real Temporal and real workers, with fake activities.
type world struct {
	*testing.T
	fakes.Services

	client      client.Client
	queue       string
	environment *fakes.Environment
	stops       map[string]func() // by queue
}

// recordWithin bounds a run that is recorded.
const recordWithin = 2 * time.Minute

// newWorld starts workers for one history, on a server that all histories share.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	server, err := sharedServer()
	require.NoError(t, err)
	return newWorldOn(t, name, server)
}

func newWorldOn(t *testing.T, name string, server *testsuite.DevServer) *world {
	t.Helper()
	if server == nil {
		t.Skip("DELIBERATION_TEST_TEMPORAL is not set; it names a temporal binary: make histories")
	}
	worker.SetStickyWorkflowCacheSize(0) // so each task replays the run, and no queue is named after the machine
	w := &world{
		T: t, Services: fakes.NewServices(nil), client: server.Client(), queue: name,
		environment: &fakes.Environment{Current: domain.Settings{
			Clusters: []domain.ClusterState{{Name: "local"}}, Events: true, Attributes: fakes.AttributeNames(),
		}},
	}
	w.work()
	t.Cleanup(w.stopWork)
	return w
}

var (
	shared       *testsuite.DevServer
	sharedServer = sync.OnceValues(func() (server *testsuite.DevServer, err error) {
		shared, err = startServer()
		return shared, err
	})
)

// startServer starts Temporal with our search attributes: an upsert before a server knows them would be
// recorded as a failed task. It returns nil without DELIBERATION_TEST_TEMPORAL.
func startServer(flags ...string) (*testsuite.DevServer, error) {
	program := os.Getenv("DELIBERATION_TEST_TEMPORAL")
	if program == "" {
		return nil, nil //nolint:nilnil // the caller skips its test
	}
	return testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ClientOptions: &client.Options{Identity: "recorder", Logger: fakes.SilentLogger()},
		ExistingPath:  program, LogLevel: "error", Stdout: io.Discard, Stderr: io.Discard,
		ExtraArgs: append(fakes.SearchAttributeFlags(), flags...),
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		_ = shared.Stop()
	}
	os.Exit(code)
}

// work starts the workers of the three queues.
func (w *world) work() {
	w.Helper()
	w.stops = map[string]func(){}
	for _, queue := range []string{w.queue, contract.SubmitQueue(w.queue), contract.WaitQueue(w.queue)} {
		w.workOn(queue)
	}
}

func (w *world) workOn(queue string) {
	w.Helper()
	runs := worker.New(w.client, queue, worker.Options{Identity: "worker", DisableRegistrationAliasing: true})
	workflows.Register(runs, w.environment)
	w.Register(runs)
	require.NoError(w, runs.Start())
	w.stops[queue] = runs.Stop
}

func (w *world) stopWork() {
	for _, stop := range w.stops {
		stop()
	}
}

func (w *world) start(name string, input ...any) client.WorkflowRun {
	w.Helper()
	id := "recorded-" + w.queue + "-" + time.Now().UTC().Format("150405.000")
	run, err := w.client.ExecuteWorkflow(w.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: w.queue}, name, input...)
	require.NoError(w, err)
	return run
}

// keep replaces a recorded history. That is right until CHANGELOG.md names a release. From then on, recorded
// histories stand for runs of others and stay.
func (w *world) keep(name, id, runID string) *historypb.History {
	w.Helper()
	history := w.history(id, runID)
	if *update {
		fakes.WriteHistory(w, historyFile(name), history)
	}
	return history
}

func (w *world) history(id, runID string) *historypb.History {
	w.Helper()
	history := &historypb.History{}
	events := w.client.GetWorkflowHistory(w.Context(), id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(w, err)
		history.Events = append(history.Events, event)
	}
	return history
}

func historyFile(name string) string {
	return filepath.Join("testdata", "histories", name+fakes.HistorySuffix)
}

func (w *world) eventually(what func() bool) {
	w.Helper()
	require.Eventually(w, what, 30*time.Second, 20*time.Millisecond)
}

// awaitTimeouts waits until so many activities of a run have timed out, which takes more than a minute.
func (w *world) awaitTimeouts(run client.WorkflowRun, count int) {
	w.Helper()
	require.Eventually(w, func() bool {
		timedOut := 0
		for _, event := range w.history(run.GetID(), run.GetRunID()).GetEvents() {
			if event.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT {
				timedOut++
			}
		}
		return timedOut >= count
	}, 2*time.Minute, time.Second)
}

func (w *world) awaiting(turns int) func() bool {
	return w.onRay(func() bool { return len(w.Ray.Awaited) >= turns })
}

// onRay evaluates a condition on the notes of the fake Ray.
func (w *world) onRay(holds func() bool) func() bool {
	return func() (held bool) {
		w.Ray.Look(func() { held = holds() })
		return held
	}
}

// onTwoClusters gives the run two clusters, of which it takes a first.
func (w *world) onTwoClusters() {
	w.environment.Current.Clusters = []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true, Room: true}}
	w.environment.Current.Grace = time.Minute
}

func TestRecord_EachPathOfADeliberation(t *testing.T) {
	model := fakes.Failure(domain.ModelUnavailable, true)
	both := func(w *world, s fakes.Script) { w.Ray.Agents["agent-1"], w.Ray.Agents["agent-2"] = s, s }
	tests := map[string]struct {
		request any
		given   func(*world)
		during  func(*world, client.WorkflowRun)
		ends    string // a part of its error; empty: it completes
		beyond  bool   // some turns may be left, since Ray doesn't answer a stop
	}{
		"happy":              {given: func(w *world) { w.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("best", 0.9)) }},
		"without_events":     {given: func(w *world) { w.environment.Current.Events, w.environment.Current.Attributes = false, nil }},
		"retry_then_success": {given: func(w *world) { w.Ray.Agents["agent-2"] = fakes.Replies(model, model, fakes.Answer("at last", 0.7)) }},
		"cut_off": {given: func(w *world) {
			w.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.Truncated, true), fakes.Answer("shorter", 0.7))
		}},
		"one_agent_fails":   {given: func(w *world) { w.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ContextTooLong, false)) }},
		"all_fail":          {given: func(w *world) { both(w, fakes.Replies(fakes.Failure(domain.ModelRejected, false))) }, ends: "DeliberationFailed"},
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
				both(w, fakes.Replies(fakes.Unreachable(), fakes.Answer("from b", 0.7).After(2*time.Second)))
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
			request: timeout(fakes.Council(2), 2), given: func(w *world) { both(w, fakes.Script{fakes.Never()}) }, ends: "DeadlineExceeded",
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
				w.Ray.Agents["agent-1"], w.Ray.Agents["agent-2"] = fakes.Replies(model), fakes.Script{fakes.Never()}
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
			request: timeout(fakes.Council(2), 1), given: func(w *world) { both(w, fakes.Script{fakes.Never()}) },
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
		"reviewed": {
			request: withReview(fakes.Council(3), 1), given: func(w *world) { w.Ray.PhaseScript = disagreeing },
		},
		"review_waits_for_room": {
			request: withReview(fakes.Council(2), 0),
			given: func(w *world) {
				full := fakes.Reply[contract.SubmitTurnsResult]{Value: contract.SubmitTurnsResult{Refusal: "503: runner_full"}}
				w.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, full, {Delay: 2 * time.Second}}
			},
		},
		"out_of_budget":   {request: withBudget(fakes.Council(3), 8), given: func(w *world) { w.Ray.PhaseScript = disagreeing }},
		"given_proposals": {request: withGiven(fakes.Council(2)), given: func(w *world) { w.Ray.PhaseScript = disagreeing }},
		"voted": {
			request: inMode(fakes.Council(3), domain.ModeVote),
			given: func(w *world) {
				for agent, answer := range map[string]string{"agent-1": "41", "agent-2": "42", "agent-3": "42"} {
					w.Ray.Agents[agent] = fakes.Replies(fakes.Vote(answer, 0.5))
				}
			},
		},
		"synthesized": {request: inMode(fakes.Council(3), domain.ModeSynthesize)},
		"chair_failed": {
			request: inMode(fakes.Council(2), domain.ModeSynthesize),
			given: func(w *world) {
				w.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Replies(fakes.Failure(domain.ModelRejected, false)) }
			},
		},
		"reviewers_agree": {
			request: withReview(fakes.Council(3), 1),
			given: func(w *world) {
				w.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
					return fakes.Replies(fakes.Review(slices.Sorted(slices.Values(ref.Reads))...))
				}
			},
		},
		"review_retried": {
			request: withReview(fakes.Council(2), 0),
			given: func(w *world) {
				w.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
					return append(fakes.Replies(fakes.Failure(domain.InvalidOutput, true)), fakes.LaterPhases(ref)...)
				}
			},
		},
		"review_closed_early": {
			request: withReview(timeout(fakes.Council(3), 8), 0),
			given: func(w *world) {
				w.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
					if ref.AgentID == "agent-2" {
						return fakes.Script{fakes.Never()}
					}
					return fakes.LaterPhases(ref)
				}
			},
		},
		"reviews_failed": {
			request: withReview(fakes.Council(2), 1),
			given: func(w *world) {
				w.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Replies(fakes.Failure(domain.ModelRejected, false)) }
			},
		},
		"cancelled_in_review": {
			request: withReview(fakes.Council(2), 1),
			given: func(w *world) {
				w.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Script{fakes.Never()} }
			},
			during: func(w *world, run client.WorkflowRun) {
				w.eventually(w.awaiting(4))
				require.NoError(w, w.client.CancelWorkflow(w.Context(), run.GetID(), run.GetRunID()))
			},
			ends: "canceled",
		},
		"invalid_request": {request: contract.RequestText([]byte(`{"task_id":""}`)), ends: "InvalidRequest"},
		"null_request":    {request: contract.RequestText([]byte(`null`)), ends: "InvalidRequest"},
		"longest_names":   {request: longestNames()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, name)
			if test.given != nil {
				test.given(w)
			}
			request := test.request
			if request == nil {
				request = fakes.Council(2)
			}
			run := w.start(contract.DeliberationName, request)
			if test.during != nil {
				test.during(w, run)
			}
			ctx, cancel := context.WithTimeout(t.Context(), recordWithin)
			defer cancel()
			err := run.GetWithOptions(ctx, nil, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
			switch test.ends {
			case "":
				require.NoError(t, err)
			case "canceled":
				require.True(t, temporal.IsCanceledError(err), "%v", err)
			default:
				require.ErrorContains(t, err, test.ends)
			}
			require.True(t, test.beyond || len(w.Ray.Live()) == 0)
			w.keep(name, run.GetID(), run.GetRunID())
		})
	}
}

func longestNames() contract.Request {
	request := largest{agents: 2, template: 1, unit: "x"}.request()
	request.TaskDescription, request.Constraints.Metadata = "Add rate limiting to the login API", nil
	return request
}

func TestRecord_EventsThatAreLeftToTheOutbox(t *testing.T) {
	const name = "left_to_outbox"
	w := newWorld(t, name)
	w.NATS.ReplyTo = away(4)
	run := w.start(contract.DeliberationName, fakes.Council(2))
	require.NoError(t, run.Get(t.Context(), nil))
	history := w.keep(name, run.GetID(), run.GetRunID())
	for _, event := range history.GetEvents() {
		require.NotEqual(t, enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, event.GetEventType())
	}
	outbox := run.GetID() + "/outbox/" + run.GetRunID()
	require.NoError(t, w.client.GetWorkflow(t.Context(), outbox, "").Get(t.Context(), nil))
	require.Equal(t, []domain.EventKind{
		domain.EventStarted, domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventCompleted,
	}, w.NATS.Kinds())
	w.keep("outbox", outbox, "")
}

func TestRecord_StatisticsContinuedAsNew(t *testing.T) {
	server, err := startServer("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=40")
	require.NoError(t, err)
	if server != nil {
		t.Cleanup(func() { _ = server.Stop() })
	}
	w := newWorldOn(t, "stats_continued", server)
	w.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(3, 1)}
	run := w.start(contract.DeliberationStatsName, contract.StatsState{})
	for range 12 {
		handle, err := w.client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: run.GetID(), UpdateName: contract.UpdateRefresh, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		require.NoError(t, err)
		var stats contract.Stats
		require.NoError(t, handle.Get(t.Context(), &stats))
		require.Equal(t, int64(3), stats.Total)
	}
	now := w.client.GetWorkflow(t.Context(), run.GetID(), "")
	require.NotEqual(t, run.GetRunID(), now.GetRunID())
	require.NoError(t, w.client.TerminateWorkflow(t.Context(), run.GetID(), "", "recorded"))
	history := w.keep("stats_continued", run.GetID(), run.GetRunID())
	last := history.GetEvents()[len(history.GetEvents())-1]
	require.True(t, strings.HasSuffix(last.GetEventType().String(), "ContinuedAsNew"))
}
