package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status ID",
		Short: "Show the state of a deliberation",
		Long: `Show the state of a deliberation: its phase, its agents, and what they wait for.

ID is a deliberation id or a task id. A run that has ended needs no worker. If no worker answers for a run
that goes on, the command shows what Temporal itself knows, and warns. Exit code 3: not found.`,
		Example: `  starter status deliberation-T-42
  starter status T-42 --json`,
		Args: oneID,
		RunE: c.withRun(func(ctx context.Context, run runs.Run) error {
			v, err := c.server.View(ctx, run)
			if err != nil {
				return err
			}
			if v.Warning != "" {
				c.warn("%s", v.Warning)
			}
			return c.show(v, func() { c.printStatus(v) })
		}),
	}
}

func (c *cli) printStatus(v runs.View) {
	status := c.paint(terminal.StatusColour(v.Status.Status), string(v.Status.Status))
	c.printf("%s %s\n", untrusted.Printable(v.DeliberationID), status)
	lines := [][2]string{
		{"task", v.TaskID},
		{"role", v.Role},
		{"phase", v.Phase},
		{"waiting for", v.WaitingFor},
		{"started", when(v.StartedAt)},
		{"closed", when(v.ClosedAt)},
		{"task queue", v.TaskQueue},
	}
	if v.ErrorMessage != nil {
		lines = append(lines, [2]string{"error", *v.ErrorMessage})
	}
	for _, line := range lines {
		if line[1] != "" {
			c.printf("  %-12s %s\n", line[0], untrusted.Inline(line[1]))
		}
	}
	c.printAgents(v.Agents)
	if v.Result != nil {
		c.printBest(*v.Result)
	}
}

func (c *cli) printAgents(agents []runs.AgentView) {
	if len(agents) == 0 {
		return
	}
	t := terminal.NewTable("agent", "role", "model", "state", "attempt", "cluster", "tokens", "")
	for _, agent := range agents {
		tokens := ""
		if agent.Tokens > 0 {
			tokens = fmt.Sprint(agent.Tokens)
		}
		t.AppendRow([]any{
			untrusted.Inline(agent.AgentID), untrusted.Inline(agent.Role), untrusted.Inline(agent.Model),
			untrusted.Inline(string(agent.State)), agent.Attempt, untrusted.Inline(agent.Cluster), tokens,
			terminal.FirstLines(remark(agent), 1, 60),
		})
	}
	c.printf("\n%s\n", t.Render())
}

// remark says why an agent failed, why it makes no progress, or why it tries again.
func remark(agent runs.AgentView) string {
	if agent.Failure == "" && agent.Trouble == "" && agent.After != "" {
		return "after " + agent.After
	}
	return cmp.Or(agent.Failure, agent.Trouble)
}

func (c *cli) printBest(best contract.AgentResult) {
	title := fmt.Sprintf("Best proposal, by %s (%.2f)", untrusted.Inline(best.AgentID), best.Score)
	c.printf("\n%s\n%s\n", c.paint(text.Bold, title), untrusted.Printable(best.Proposal))
	if best.Reasoning != "" {
		c.printf("\n%s\n%s\n", c.paint(text.Bold, "Why"), untrusted.Printable(best.Reasoning))
	}
}

func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC3339)
}
