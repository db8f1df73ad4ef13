package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status ID",
		Short: "Show how a deliberation stands",
		Long: `Show how a deliberation stands: its phase, its agents, what they wait for.

ID is a deliberation id, or a task id. A run that has ended needs no worker. When no worker answers for
one that goes on, what Temporal itself knows is shown, and a warning says so. Exit code 3: not found.`,
		Example: `  starter status deliberation-T-42
  starter status T-42 --json`,
		Args:              oneID,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: c.ofFound(func(ctx context.Context, e execution) error {
			v, err := c.server.view(ctx, e)
			if err != nil {
				return err
			}
			if v.Warning != "" {
				c.warn("%s", v.Warning)
			}
			if c.json {
				return c.printJSON(v)
			}
			c.printStatus(v)
			return nil
		}),
	}
}

func (c *cli) warn(format string, args ...any) {
	fmt.Fprintln(c.stderr, c.paint(c.stderr, text.FgYellow, "warning:"), printable(fmt.Sprintf(format, args...)))
}

func (c *cli) printStatus(v view) {
	fmt.Fprintf(c.stdout, "%s %s\n", printable(v.DeliberationID), c.paint(c.stdout, statusColour(v.Status.Status), string(v.Status.Status)))
	lines := [][2]string{
		{"task", v.taskID},
		{"role", v.role},
		{"phase", v.Phase},
		{"waiting for", v.WaitingFor},
		{"started", when(v.StartedAt)},
		{"closed", when(v.ClosedAt)},
		{"task queue", v.queue},
	}
	if v.ErrorMessage != nil {
		lines = append(lines, [2]string{"error", *v.ErrorMessage})
	}
	for _, line := range lines {
		if line[1] != "" {
			fmt.Fprintf(c.stdout, "  %-12s %s\n", line[0], inline(line[1]))
		}
	}
	c.printAgents(v.Agents)
	if v.Result != nil {
		c.printBest(*v.Result)
	}
}

func (c *cli) printAgents(agents []agentView) {
	if len(agents) == 0 {
		return
	}
	t := newTable("agent", "role", "model", "state", "attempt", "cluster", "tokens", "")
	for _, agent := range agents {
		tokens := ""
		if agent.Tokens > 0 {
			tokens = fmt.Sprint(agent.Tokens)
		}
		t.AppendRow([]any{
			inline(agent.AgentID), inline(agent.Role), inline(agent.Model), agent.State, agent.Attempt,
			inline(agent.Cluster), tokens, opening(remark(agent), 1, 60),
		})
	}
	fmt.Fprintf(c.stdout, "\n%s\n", t.Render())
}

// remark is why an agent doesn't get on, or why it tries again.
func remark(agent agentView) string {
	if agent.Trouble == "" && agent.After != "" {
		return "after " + agent.After
	}
	return agent.Trouble
}

func (c *cli) printBest(best contract.AgentResult) {
	fmt.Fprintf(c.stdout, "\n%s\n%s\n",
		c.paint(c.stdout, text.Bold, fmt.Sprintf("Best proposal, by %s (%.2f)", inline(best.AgentID), best.Score)),
		printable(best.Proposal))
	if best.Reasoning != "" {
		fmt.Fprintf(c.stdout, "\n%s\n%s\n", c.paint(c.stdout, text.Bold, "Why"), printable(best.Reasoning))
	}
}

func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC3339)
}
