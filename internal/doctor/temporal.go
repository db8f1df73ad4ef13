package doctor

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/searchattributes"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/workflows/contract"
)

// answersWithin is how long a worker has for an answer. Temporal asks the worker that knows the workflow for five
// seconds, and then any.
const answersWithin = 12 * time.Second

// checkTemporal looks at the server, the namespace, the workers and the search attributes.
func (s Settings) checkTemporal(ctx context.Context) []Finding {
	reader, err := s.Temporal(ctx)
	if err != nil {
		findings := []Finding{failed("temporal", "start it (locally: make up), or set TEMPORAL_ADDRESS or --address", "%s", err)}
		for _, name := range []string{"namespace", "workers", "search attributes"} {
			findings = append(findings, skipped(name, "temporal can't be asked"))
		}
		return findings
	}
	looking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	t := temporal{reader}
	findings := []Finding{t.checkServer(looking, s.TemporalAddress)}
	namespace := t.checkNamespace(looking)
	findings = append(findings, namespace)
	if namespace.Result == Failed {
		return append(findings, skipped("workers", "no namespace to look in"), skipped("search attributes", "no namespace to look in"))
	}
	for _, queue := range runs.Queues(s.TaskQueue) {
		findings = append(findings, t.checkQueue(looking, queue))
	}
	return append(findings, t.checkAnswer(ctx, s.TaskQueue), t.checkAttributes(ctx))
}

// temporal is a server that answers.
type temporal struct{ runs.Reader }

func (t temporal) checkServer(ctx context.Context, address string) Finding {
	info, err := t.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return failed("temporal", "set TEMPORAL_ADDRESS or --address", "%s: %s", address, err)
	}
	return ok("temporal", "%s answers, version %s", address, cmp.Or(info.GetServerVersion(), "unknown"))
}

func (t temporal) checkNamespace(ctx context.Context) Finding {
	described, err := t.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: t.Namespace})
	var missing *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &missing):
		return failed("namespace", "temporal operator namespace create --retention 720h --namespace "+terminal.ShellWord(t.Namespace), "%s does not exist", t.Namespace)
	case errors.As(err, &denied):
		return failed("namespace", "set TEMPORAL_API_KEY or the TLS settings of the profile", "%s: %s", t.Namespace, err)
	case err != nil:
		return failed("namespace", "temporal operator namespace describe --namespace "+terminal.ShellWord(t.Namespace), "%s: %s", t.Namespace, err)
	}
	retention := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	return ok("namespace", "%s, keeps what has ended for %s", t.Namespace, inDays(retention))
}

func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return domain.Count(int(d/day), "day")
	}
	return d.String()
}

func (t temporal) checkQueue(ctx context.Context, queue runs.Queue) Finding {
	pollers, err := t.Pollers(ctx, queue)
	switch {
	case err != nil:
		return failed("workers", "temporal task-queue describe --task-queue "+terminal.ShellWord(queue.Name), "%s: %s", queue.Name, err)
	case pollers == 0:
		return failed("workers", "start one: bin/worker (locally: make up)", "nobody polls task queue %s", queue.Name)
	}
	return ok("workers", "%s on task queue %s", domain.Count(pollers, "poller"), queue.Name)
}

// checkAnswer asks a worker a question: one that hangs or has just died is still listed as a poller.
func (t temporal) checkAnswer(ctx context.Context, taskQueue string) Finding {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	stats, err := t.Describe(ctx, contract.StatsID, "")
	switch _, missing := errors.AsType[*serviceerror.NotFound](err); {
	case missing || (err == nil && !stats.Open()):
		return skipped("workers", "none can be asked: workflow %s isn't running; a worker starts it within minutes", contract.StatsID)
	case err == nil && stats.Info.GetTaskQueue() != taskQueue:
		return skipped("workers", "none can be asked: workflow %s is on task queue %s", contract.StatsID, stats.Info.GetTaskQueue())
	}
	began := time.Now()
	if err == nil {
		_, err = t.QueryWorkflow(ctx, stats.ID, stats.RunID, contract.QueryStats)
	}
	const repair = "look at their logs, and restart them (locally: make logs P=worker)"
	switch {
	case err != nil && runs.MayAnswerLater(err):
		return failed("workers", repair, "none answered within %s", answersWithin)
	case err != nil:
		return failed("workers", repair, "none answered: %s", err)
	}
	return ok("workers", "one answered in %d ms", time.Since(began).Milliseconds())
}

func (t temporal) checkAttributes(ctx context.Context) Finding {
	const name = "search attributes"
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	survey, err := searchattributes.SurveyNamespace(ctx, t.Client, t.Namespace)
	switch {
	case err != nil:
		return skipped(name, "not readable: %s", err)
	case len(survey.Mistyped) > 0:
		other := survey.Mistyped[0]
		return failed(name, "deliberations run without them; another namespace has room for them",
			"%s is %s here, and must be %s", other.Name, other.Type, other.Wanted)
	case len(survey.Missing) > 0:
		return failed(name, "starter setup", "missing: %s; lists can't be filtered by them", strings.Join(survey.Missing, ", "))
	}
	return ok(name, "all %d", len(survey.Present))
}
