package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/terminal"
)

// lookWithin bounds each look at something that may not answer.
const lookWithin = 5 * time.Second

// doctorOptions are the flags of doctor.
type doctorOptions struct{ taskQueue, url, model string }

func (c *cli) doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what deliberations need, and say what repairs it",
		Long: `Check what deliberations need, and say what repairs it: Temporal, the namespace, the workers, the search
attributes, the Ray app, NATS, the model server. Nothing is changed.

Ray, NATS and the model server are looked at where this shell's variables say, which are the worker's:
DELIBERATION_RAY_CLUSTERS, DELIBERATION_RAY_TOKEN[_FILE], NATS_URL, NATS_CREDS, NATS_CA, DELIBERATION_NATS_PREFIX;
what isn't named is skipped. This machine may see them otherwise than the workers and the Ray cluster do.

When a Ray cluster, a model server and a model are named, a runner of each cluster calls the model for one token,
which costs what your model server charges for it, and shows whether turns can run. An older Ray app can't: then
the model server is looked at from here, without a call.

Exit code 0 when nothing failed, else 1.`,
		Example: `  starter doctor
  set -a; . .dev/stack/env; set +a; starter doctor
  starter doctor --json | jq '.checks[] | select(.result == "fail")'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	taskQueueFlag(cmd, &o.taskQueue)
	flags.StringVar(&o.url, "vllm-url", os.Getenv("DELIBERATION_VLLM_URL"), "model server; also DELIBERATION_VLLM_URL")
	flags.StringVar(&o.model, "model", os.Getenv("DELIBERATION_VLLM_MODEL"), "model that it must have; also DELIBERATION_VLLM_MODEL")
	for _, name := range []string{"vllm-url", "model"} {
		complete(cmd, name)
	}
	return cmd
}

// What a check came to.
const (
	checkOK      = "ok"
	checkFailed  = "fail"
	checkSkipped = "skip"
)

// checked is what was seen of one thing, and the command that repairs it.
type checked struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Seen   string `json:"seen"`
	Repair string `json:"repair,omitempty"`
}

func well(name, seen string, args ...any) checked {
	return checked{Name: name, Result: checkOK, Seen: fmt.Sprintf(seen, args...)}
}

func skipped(name, seen string, args ...any) checked {
	return checked{Name: name, Result: checkSkipped, Seen: fmt.Sprintf(seen, args...)}
}

func broken(name, repair, seen string, args ...any) checked {
	return checked{Name: name, Result: checkFailed, Seen: fmt.Sprintf(seen, args...), Repair: repair}
}

// diagnosis is the answer of doctor.
type diagnosis struct {
	OK     bool      `json:"ok"`
	Checks []checked `json:"checks"`
}

func (c *cli) doctor(ctx context.Context, o doctorOptions) error {
	if _, err := c.configure(); err != nil {
		return err
	}
	answer := diagnosis{OK: true}
	for _, look := range []func() []checked{
		func() []checked { return c.checkTemporal(ctx, o.taskQueue) },
		func() []checked { return checkRay(ctx) },
		func() []checked { return checkNATS(ctx) },
		func() []checked { return checkModels(ctx, o.url, o.model) },
	} {
		seen := look()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, check := range seen {
			answer.OK = answer.OK && check.Result != checkFailed
			if !c.json {
				c.printCheck(check)
			}
		}
		answer.Checks = append(answer.Checks, seen...)
	}
	if c.json {
		if err := c.printJSON(answer); err != nil {
			return err
		}
	}
	if !answer.OK {
		return exitSilently(exitFailed)
	}
	return nil
}

func (c *cli) printCheck(check checked) {
	colour := map[string]text.Color{checkOK: text.FgGreen, checkFailed: text.FgRed, checkSkipped: text.FgYellow}[check.Result]
	fmt.Fprintf(c.stdout, "%s  %-18s %s\n", c.paint(colour, fmt.Sprintf("%-4s", check.Result)), terminal.Inline(check.Name), terminal.Inline(check.Seen))
	if check.Repair != "" {
		fmt.Fprintf(c.stdout, "%-6s%-18s → %s\n", "", "", terminal.Inline(check.Repair))
	}
}
