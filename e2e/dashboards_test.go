//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.yaml.in/yaml/v3"

	"deliberation.io/deliberation/e2e/stack"
)

// The deliberations of this test make every series exist. Then it compares them with what is asked for.
func TestDashboardsAndRulesUseOnlyExportedMetrics(t *testing.T) {
	namespace := "TEMPORAL_NAMESPACE=" + inNamespace(t, "metrics")
	queue, quiet := stack.Queue(t), stack.Queue(t)+"-quiet"
	toTemporal, listen := stack.ProxyTo(t, stack.At.TemporalAddress)
	workers := []*stack.Worker{
		stack.StartWorker(t, queue, namespace), stack.StartWorker(t, quiet, namespace, "NATS_URL=nats://"+stack.FreeAddress(t)),
		stack.StartWorker(t, queue+"-cut-off", namespace, "TEMPORAL_ADDRESS="+listen),
	}
	toTemporal.Stop()
	shaky, refused := stack.Model(t, "shaky"), stack.Model(t, "refused")
	stack.Script(t, shaky, stack.Step{"status": 500}, stack.Answers("0.5"))
	stack.Script(t, refused, stack.Step{"status": 404})

	stack.Result(t, stack.Begin(t, queue, stack.Request(t, stack.Agents(shaky))))
	failure(t, stack.Begin(t, queue, stack.Request(t, stack.Agents(refused))))
	stack.Result(t, stack.Begin(t, quiet, stack.Request(t, stack.Agents(shaky)))) // its events go to its outbox
	beginUnknown(t, queue)
	refusedByRay(t)
	refusedByRunners(t, queue)

	asked := questions(t)
	stack.Eventually(t, "all metrics are exported", func(c *assert.CollectT) {
		have := exported{}
		have.add(c, `up{job="deliberation-worker"} 1`) // from Prometheus itself
		for _, w := range workers {
			have.add(c, stack.Scrape(c, w.Address))
		}
		have.add(c, stack.Scrape(c, rayMetrics()))
		var missing []string
		for _, question := range asked {
			missing = append(missing, have.lacks(question)...)
		}
		require.Empty(c, missing)
		require.Contains(c, stack.Scrape(c, workers[2].Address), `status_code="UNAVAILABLE"`, "as the rule has it")
	})
	require.NoError(t, toTemporal.Start())
}

// beginUnknown starts a workflow of an unknown type, whose tasks fail.
func beginUnknown(t *testing.T, queue string) {
	t.Helper()
	run, err := stack.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: queue}, "Unheard")
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = stack.Temporal.TerminateWorkflow(context.Background(), run.GetID(), run.GetRunID(), "the test is over")
	})
}

// refusedByRay sends a request without a token.
func refusedByRay(t *testing.T) {
	t.Helper()
	response, err := stack.HTTP.Get(stack.At.RayAppURL + "/v1/info")
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
}

// refusedByRunners submits councils whose model puts calls off, until a runner refuses one. A runner lets about 256
// turns wait for a model, and the stack has two runners.
func refusedByRunners(t *testing.T, queue string) {
	t.Helper()
	busy := stack.Model(t, "busy")
	stack.Script(t, busy, stack.Step{"status": 503, "headers": map[string]string{"Retry-After": "60"}})
	council := stack.Agents(slices.Repeat([]string{busy}, 64)...)
	var runs []client.WorkflowRun
	for range 14 {
		runs = append(runs, stack.Begin(t, queue, stack.Request(t, council)))
	}
	stack.Eventually(t, "a runner has refused a council", func(c *assert.CollectT) {
		require.Contains(c, stack.Scrape(c, rayMetrics()), "ray_deliberation_refused_submissions_total{")
	})
	for _, run := range runs {
		require.NoError(t, stack.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	}
	for _, run := range runs {
		require.True(t, temporal.IsCanceledError(run.Get(t.Context(), nil)))
	}
}

// rayMetrics is the address at which Ray exports its metrics.
func rayMetrics() string { return fmt.Sprintf("127.0.0.1:%d", stack.At.Ports.RayMetrics) }

// question is a metric in an expression, and the labels that the expression names.
type question struct {
	where, metric string
	labels        []string
}

var promql = parser.NewParser(parser.Options{})

// questions returns the questions of all dashboards and rules.
func questions(t *testing.T) []question {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	text, err := os.ReadFile("../deploy/prometheus/rules.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &rules))
	var all []question
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			all = append(all, questionsOf(t, rule.Alert, rule.Expr)...)
		}
	}
	boards, err := filepath.Glob("../deploy/grafana/*.json")
	require.NoError(t, err)
	for _, file := range boards {
		all = append(all, questionsOfBoard(t, file)...)
	}
	return all
}

// variables are Grafana's, with values as Grafana gives them.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h")

func questionsOfBoard(t *testing.T, file string) []question {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &board))
	var all []question
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			all = append(all, questionsOf(t, filepath.Base(file)+": "+panel.Title, variables.Replace(target.Expr))...)
		}
	}
	require.NotEmpty(t, all, file)
	return all
}

func questionsOf(t *testing.T, where, text string) []question {
	t.Helper()
	expression, err := promql.ParseExpr(text)
	require.NoError(t, err, where)
	var all []question
	parser.Inspect(expression, func(node parser.Node, above []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		q := question{where: where, metric: selector.Name}
		for _, matcher := range selector.LabelMatchers {
			q.labels = append(q.labels, matcher.Name)
		}
		for _, each := range above {
			if sum, is := each.(*parser.AggregateExpr); is && !sum.Without {
				q.labels = append(q.labels, sum.Grouping...)
			}
		}
		all = append(all, q)
		return nil
	})
	return all
}

// exported has the labels of each metric's series, by metric.
type exported map[string]map[string]bool

func (e exported) add(t require.TestingT, text string) {
	for line := range strings.Lines(text) {
		value := strings.LastIndex(line, " ")
		if strings.HasPrefix(line, "#") || value < 0 {
			continue
		}
		series, err := promql.ParseMetric(line[:value])
		require.NoError(t, err, line)
		name := series.Get(model.MetricNameLabel)
		if e[name] == nil {
			e[name] = map[string]bool{"instance": true} // added by Prometheus
		}
		series.Range(func(label labels.Label) { e[name][label.Name] = true })
	}
}

// lacks lists the parts of a question that nobody exports.
func (e exported) lacks(q question) []string {
	found, is := e[q.metric]
	if !is {
		return []string{q.where + ": " + q.metric}
	}
	var missing []string
	for _, label := range q.labels {
		if !found[label] {
			missing = append(missing, fmt.Sprintf("%s: %s{%s}", q.where, q.metric, label))
		}
	}
	return missing
}
