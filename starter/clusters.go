package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/terminal"
)

func (c *cli) clustersCommand() *cobra.Command {
	var workers []string
	cmd := &cobra.Command{
		Use:   "clusters",
		Short: "Show the Ray clusters as a worker sees them",
		Long: `Show the Ray clusters as a worker sees them, in order of preference: whether it asks them, and how many
more turns they take. A deliberation goes to the first that answers and has room.

The worker is asked at its HTTP address, DELIBERATION_HTTP_ADDR. Each worker judges for itself: name
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
	complete(cmd, "worker")
	return cmd
}

// clusterSeen is what a worker says of a cluster.
type clusterSeen struct {
	Name    string    `json:"name"`
	Breaker string    `json:"breaker"`
	Room    int       `json:"room"`
	Fault   string    `json:"fault,omitempty"`
	SeenAt  time.Time `json:"seen_at"`
}

// workerSeen is what a worker says, or why it says nothing.
type workerSeen struct {
	Worker   string        `json:"worker"`
	Clusters []clusterSeen `json:"clusters"`
	Fault    string        `json:"fault,omitempty"`
}

func (w workerSeen) room() bool {
	for _, cluster := range w.Clusters {
		if cluster.Breaker == "closed" && cluster.Room > 0 {
			return true
		}
	}
	return false
}

func (c *cli) clusters(ctx context.Context, workers []string) error {
	var answer struct {
		Workers []workerSeen `json:"workers"`
	}
	well := true
	for _, address := range workers {
		seen := askWorker(ctx, address)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		well = well && seen.room()
		answer.Workers = append(answer.Workers, seen)
	}
	if c.json {
		if err := c.printJSON(answer); err != nil {
			return err
		}
	} else {
		c.printClusters(answer.Workers)
	}
	if !well {
		return exitSilently(exitFailed)
	}
	return nil
}

// askWorker reads what a worker answers to a readiness probe; one that isn't ready tells it too.
func askWorker(ctx context.Context, address string) workerSeen {
	seen := workerSeen{Worker: address, Clusters: []clusterSeen{}}
	status, err := inquiry{address: "http://" + address + "/readyz"}.ask(ctx, &seen)
	switch {
	case status == http.StatusServiceUnavailable:
		seen.Fault = "is not ready: starting, or without Temporal"
	case err != nil || status != http.StatusOK:
		seen.Fault = answered(status, err, "")
	case len(seen.Clusters) == 0:
		seen.Fault = "says nothing of clusters: not a worker, or an older one"
	}
	return seen
}

func (c *cli) printClusters(workers []workerSeen) {
	t := terminal.NewTable("worker", "cluster", "asked", "room", "seen", "")
	for _, worker := range workers {
		if worker.Fault != "" {
			t.AppendRow([]any{terminal.Inline(worker.Worker), "", "", "", "", c.paint(text.FgRed, terminal.Inline(worker.Fault))})
		}
		for _, cluster := range worker.Clusters {
			asked := map[string]string{"closed": "yes", "half-open": "one probe", "open": "no"}[cluster.Breaker]
			t.AppendRow([]any{
				terminal.Inline(worker.Worker), terminal.Inline(cluster.Name), cmp.Or(asked, terminal.Inline(cluster.Breaker)), cluster.Room,
				when(&cluster.SeenAt), terminal.FirstLines(cluster.Fault, 1, 80),
			})
		}
	}
	fmt.Fprintln(c.stdout, t.Render())
}
