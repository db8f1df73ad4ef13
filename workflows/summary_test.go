package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

// summaries collects what a run gives to Temporal for people to read.
type summaries struct {
	interceptor.WorkerInterceptorBase

	seen []string
}

func (s *summaries) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &summarised{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, into: s}
}

type summarised struct {
	interceptor.WorkflowInboundInterceptorBase

	into *summaries
}

func (s *summarised) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return s.Next.Init(&outgoing{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, into: s.into})
}

type outgoing struct {
	interceptor.WorkflowOutboundInterceptorBase

	into *summaries
}

func (o *outgoing) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	o.into.seen = append(o.into.seen, workflow.GetActivityOptions(ctx).Summary)
	return o.Next.ExecuteActivity(ctx, name, args...)
}

func (o *outgoing) ExecuteChildWorkflow(ctx workflow.Context, name string, args ...any) workflow.ChildWorkflowFuture {
	o.into.seen = append(o.into.seen, workflow.GetChildWorkflowOptions(ctx).StaticSummary)
	return o.Next.ExecuteChildWorkflow(ctx, name, args...)
}

func (o *outgoing) NewTimerWithOptions(ctx workflow.Context, d time.Duration, options workflow.TimerOptions) workflow.Future {
	o.into.seen = append(o.into.seen, options.Summary)
	return o.Next.NewTimerWithOptions(ctx, d, options)
}

// Servers refuse a summary of over 400 bytes, and with it every command of the workflow task: the run would hang. The
// Web UI shows summaries as markdown.
func TestSummaries_AreShortAndHarmlessWhateverTheIDs(t *testing.T) {
	for name, id := range map[string]string{
		"the longest ids":    strings.Repeat("d", 1000),
		"ids with markdown":  "[click](http://evil) ![](http://evil) <b> `*",
		"ids that steer":     "\u202egnp\x1b[2J\u200b\u009b",
		"ids with wide text": strings.Repeat("議", 333),
	} {
		t.Run(name, func(t *testing.T) {
			s, seen := newStage(t), &summaries{}
			s.env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{seen}})
			s.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: contract.DefaultTaskQueue})
			s.NATS.ReplyTo = away(9)
			request := fakes.Council(1)
			request.Agents[0].AgentID, _ = domain.CutEncoded(id, domain.MaxName)
			request.Role = request.Agents[0].AgentID
			s.Ray.Agents[request.Agents[0].AgentID] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true), fakes.Answer("a", 0.5))

			_, err := s.runAndExpectNothingLeft(request)

			require.NoError(t, err)
			require.Contains(t, strings.Join(seen.seen, "\n"), "events of ")
			for _, summary := range seen.seen {
				require.LessOrEqual(t, len(summary), 400, summary)
				require.Equal(t, untrusted.Inline(summary), summary)
				require.NotContains(t, strings.ReplaceAll(summary, `\[`, ""), "[", summary)
				require.NotContains(t, strings.ReplaceAll(summary, `\<`, ""), "<", summary)
			}
		})
	}
}
