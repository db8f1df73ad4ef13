package main

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
)

// checkTemporal looks at the server, the namespace, the workers and the search attributes.
func (c *cli) checkTemporal(ctx context.Context, taskQueue string) []checked {
	s, err := c.connect(ctx)
	if err != nil {
		rest := []checked{broken("temporal", "start it (locally: make up), or set TEMPORAL_ADDRESS or --address", "%s", err)}
		for _, name := range []string{"namespace", "workers", "search attributes"} {
			rest = append(rest, skipped(name, "temporal can't be asked"))
		}
		return rest
	}
	looking, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	checks := []checked{s.checkServer(looking)}
	namespace := s.checkNamespace(looking)
	checks = append(checks, namespace)
	if namespace.Result == checkFailed {
		return append(checks, skipped("workers", "no namespace to look in"), skipped("search attributes", "no namespace to look in"))
	}
	for _, queue := range runs.Queues(taskQueue) {
		checks = append(checks, s.checkQueue(looking, queue))
	}
	return append(checks, s.checkAttributes(looking))
}

func (s server) checkServer(ctx context.Context) checked {
	info, err := s.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return broken("temporal", "set TEMPORAL_ADDRESS or --address", "%s: %s", s.address, err)
	}
	return well("temporal", "%s answers, version %s", s.address, cmp.Or(info.GetServerVersion(), "unknown"))
}

func (s server) checkNamespace(ctx context.Context) checked {
	described, err := s.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.Namespace})
	var missing *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &missing):
		return broken("namespace", "temporal operator namespace create --retention 720h --namespace "+shellWord(s.Namespace), "%s does not exist", s.Namespace)
	case errors.As(err, &denied):
		return broken("namespace", "set TEMPORAL_API_KEY or the TLS settings of the profile", "%s: %s", s.Namespace, err)
	case err != nil:
		return broken("namespace", "temporal operator namespace describe "+shellWord(s.Namespace), "%s: %s", s.Namespace, err)
	}
	retention := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	return well("namespace", "%s, keeps what has ended for %s", s.Namespace, inDays(retention))
}

func inDays(d time.Duration) string {
	if d%day == 0 {
		return domain.Count(int(d/day), "day")
	}
	return d.String()
}

func (s server) checkQueue(ctx context.Context, of runs.Queue) checked {
	polled, err := s.Pollers(ctx, of)
	switch {
	case err != nil:
		return broken("workers", "temporal task-queue describe --task-queue "+shellWord(of.Name), "%s: %s", of.Name, err)
	case polled == 0:
		return broken("workers", "start one: bin/worker (locally: make up)", "nobody polls task queue %s", of.Name)
	}
	return well("workers", "%s on task queue %s", domain.Count(polled, "poller"), of.Name)
}

func (s server) checkAttributes(ctx context.Context) checked {
	const name = "search attributes"
	survey, err := searchattributes.SurveyNamespace(ctx, s.Client, s.Namespace)
	switch {
	case err != nil:
		return skipped(name, "not readable: %s", err)
	case len(survey.Mistyped) > 0:
		other := survey.Mistyped[0]
		return broken(name, "deliberations run without them; another namespace has room for them",
			"%s is %s here, and must be %s", other.Name, other.Type, other.Wanted)
	case len(survey.Missing) > 0:
		return broken(name, "starter setup", "missing: %s; lists can't be filtered by them", strings.Join(survey.Missing, ", "))
	}
	return well(name, "all %d", len(survey.Present))
}
