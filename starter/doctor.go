package main

import (
	"context"
	"fmt"
	"os"

	"github.com/caarlos0/env/v11"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/doctor"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/untrusted"
)

func (c *cli) doctorCommand() *cobra.Command {
	var s doctor.Settings
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what deliberations need, and say what repairs it",
		Long: `Check what deliberations need, and say what repairs it: Temporal, the namespace, the workers, the search
attributes, the Ray app, NATS, the model server. Nothing is changed.

This shell's variables say where Ray, NATS and the model server are. They are the worker's:
DELIBERATION_RAY_CLUSTERS, DELIBERATION_RAY_TOKEN[_FILE], NATS_* and DELIBERATION_NATS_PREFIX.
What isn't named is skipped. The workers and the Ray cluster may see other servers than this machine does.

If a Ray cluster, a model server and a model are named, a runner of each cluster calls the model for one token,
which costs what your model server charges for it, and shows whether turns can run. If no Ray app answers, the
model server is looked at from here, without a call.

Exit code 0 when nothing failed, else 1.`,
		Example: `  starter doctor
  set -a; . .dev/stack/env; set +a; starter doctor
  starter doctor --json | jq '.checks[] | select(.result == "fail")'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd.Context(), s) },
	}
	taskQueueFlag(cmd, &s.TaskQueue)
	cmd.Flags().StringVar(&s.VLLMURL, "vllm-url", os.Getenv("DELIBERATION_VLLM_URL"), "model server; also DELIBERATION_VLLM_URL")
	cmd.Flags().StringVar(&s.Model, "model", os.Getenv("DELIBERATION_VLLM_MODEL"), "model that it must have; also DELIBERATION_VLLM_MODEL")
	return cmd
}

// diagnosis is the answer of doctor.
type diagnosis struct {
	OK     bool             `json:"ok"`
	Checks []doctor.Finding `json:"checks"`
}

func (c *cli) doctor(ctx context.Context, s doctor.Settings) error {
	if _, err := c.configure(); err != nil {
		return err
	}
	if err := env.Parse(&s); err != nil {
		return err
	}
	s.TemporalAddress = c.server.address
	s.Temporal = func(ctx context.Context) (runs.Reader, error) {
		connected, err := c.connect(ctx)
		return connected.Reader, err
	}
	answer := diagnosis{OK: true}
	for finding := range doctor.Examine(ctx, s) {
		answer.OK = answer.OK && finding.Result != doctor.Failed
		answer.Checks = append(answer.Checks, finding)
		if !c.json {
			c.printFinding(finding)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := c.show(answer, func() {}); err != nil { // the text was printed already, finding by finding
		return err
	}
	if !answer.OK {
		return exitSilently(exitFailed)
	}
	return nil
}

func (c *cli) printFinding(finding doctor.Finding) {
	colour := map[doctor.Result]text.Color{doctor.OK: text.FgGreen, doctor.Failed: text.FgRed, doctor.Skipped: text.FgYellow}[finding.Result]
	result := c.paint(colour, fmt.Sprintf("%-4s", finding.Result))
	c.printf("%s  %-18s %s\n", result, untrusted.Inline(finding.Name), untrusted.Inline(finding.Seen))
	if finding.Repair != "" {
		c.printf("%-6s%-18s → %s\n", "", "", untrusted.Inline(finding.Repair))
	}
}
