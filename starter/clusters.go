package main

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"slices"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/fetch"
	"deliberation.io/deliberation/internal/fleet"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
)

func (c *cli) clustersCommand() *cobra.Command {
	var workers []string
	cmd := &cobra.Command{
		Use:   "clusters",
		Short: "Show the Ray clusters as a worker sees them",
		Long: `Show the Ray clusters as a worker sees them, in order of preference: whether it asks them, and how many
more turns they take. A deliberation goes to the first that answers and has room.

The worker is asked at its HTTP address, DELIBERATION_HTTP_ADDR. Workers may see different things: name
several to compare them. starter doctor looks at the clusters from here.

Exit code 0 when each worker has a cluster with room, else 1.`,
		Example: `  starter clusters
  starter clusters --worker worker-1:9464,worker-2:9464
  starter clusters --json | jq '.workers[].clusters[] | select(.breaker != "closed")'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.clusters(cmd.Context(), workers) },
	}
	cmd.Flags().StringSliceVar(&workers, "worker", []string{cmp.Or(os.Getenv("DELIBERATION_HTTP_ADDR"), "127.0.0.1:9464")},
		"HTTP addresses of workers; also DELIBERATION_HTTP_ADDR")
	return cmd
}

// workerAnswer is a worker's answer about its clusters, or why there is none.
type workerAnswer struct {
	Worker   string       `json:"worker"`
	Clusters []fleet.View `json:"clusters"`
	Fault    string       `json:"fault,omitempty"`
}

// room reports whether a cluster of the worker takes turns.
func (w workerAnswer) room() bool {
	return slices.ContainsFunc(w.Clusters, func(cluster fleet.View) bool { return cluster.Breaker == "closed" && cluster.Room > 0 })
}

func (c *cli) clusters(ctx context.Context, workers []string) error {
	var answer struct {
		Workers []workerAnswer `json:"workers"`
	}
	if len(workers) == 0 {
		return misused("", "--worker needs the host:port of a worker")
	}
	room := true
	for _, address := range workers {
		seen := askWorker(ctx, address)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		room = room && seen.room()
		answer.Workers = append(answer.Workers, seen)
	}
	if err := c.show(answer, func() { c.printClusters(answer.Workers) }); err != nil {
		return err
	}
	if !room {
		return exitSilently(exitFailed)
	}
	return nil
}

// askWorker reads a worker's answer to a readiness probe.
func askWorker(ctx context.Context, address string) workerAnswer {
	seen := workerAnswer{Worker: address, Clusters: []fleet.View{}}
	err := fetch.JSON(ctx, "http://"+address+"/readyz", &seen)
	switch {
	case fetch.StatusOf(err) == http.StatusServiceUnavailable:
		seen.Fault = "is not ready: starting, or without Temporal"
	case err != nil:
		seen.Fault = err.Error()
	case len(seen.Clusters) == 0:
		seen.Fault = "says nothing of clusters: not a worker"
	}
	return seen
}

func (c *cli) printClusters(workers []workerAnswer) {
	t := terminal.NewTable("worker", "cluster", "asked", "room", "seen", "")
	for _, worker := range workers {
		if worker.Fault != "" {
			t.AppendRow([]any{untrusted.Inline(worker.Worker), "", "", "", "", c.paint(text.FgRed, untrusted.Inline(worker.Fault))})
		}
		for _, cluster := range worker.Clusters {
			asked := map[string]string{"closed": "yes", "half-open": "one probe", "open": "no"}[cluster.Breaker]
			t.AppendRow([]any{
				untrusted.Inline(worker.Worker), untrusted.Inline(cluster.Name), cmp.Or(asked, untrusted.Inline(cluster.Breaker)), cluster.Room,
				when(&cluster.SeenAt), terminal.FirstLines(cluster.Fault, 1, 80),
			})
		}
	}
	c.printf("%s\n", t.Render())
}
