package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/terminal"
)

// batchMost bounds how many deliberations of a batch run at the same time.
const batchMost = 1000

// batchOptions are the flags of batch.
type batchOptions struct {
	file, out, taskQueue string
	concurrency          int
}

func (c *cli) batchCommand() *cobra.Command {
	var o batchOptions
	cmd := &cobra.Command{
		Use:   "batch -f FILE",
		Short: "Run many deliberations, some at a time, and collect their results",
		Long: `Run many deliberations, some at a time, and collect their results: one JSON line each, in the order in which
they end, with the line number of the request. All requests are checked before any is started.

To go on after an interruption, give the same command again: it attaches to what runs, takes completed
results as they are, and runs again what failed. Results go to stdout, or to the file of -o. Until all of
them are there, that file has the ending .part, so that the results of an earlier call stay.

Exit code 0: all completed; 1: some failed; 2: lines are bad, and nothing was started. Ctrl-C ends the wait;
what was started goes on.`,
		Example: `  starter batch -f requests.jsonl -o results.jsonl
  starter batch -f requests.jsonl --concurrency 50 > results.jsonl
  generate-requests | starter batch -f - -o results.jsonl --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.batch(cmd, o) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", "", "read the requests from a file, one JSON object a line; - is stdin")
	flags.StringVarP(&o.out, "output", "o", "", "write the results to a file instead of stdout")
	flags.IntVar(&o.concurrency, "concurrency", 10, "how many deliberations run at the same time")
	taskQueueFlag(cmd, &o.taskQueue)
	_ = cmd.MarkFlagFilename("file", "jsonl") // fails only for an unknown flag
	_ = cmd.MarkFlagFilename("output", "jsonl")
	return cmd
}

func (c *cli) batch(cmd *cobra.Command, o batchOptions) error {
	switch {
	case o.file == "":
		return misused("for example: starter batch -f requests.jsonl -o results.jsonl", "batch takes -f requests.jsonl or -f -")
	case o.concurrency < 1 || o.concurrency > batchMost:
		return misused("", "--concurrency: must be 1..%d, got %d", batchMost, o.concurrency)
	case c.json && o.out == "":
		return misused("give -o results.jsonl", "--json prints the batch's summary on stdout, where the results would go too")
	}
	lines, err := readBatch(o.file, c.stdin)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if _, err := c.connect(ctx); err != nil {
		return err
	}
	c.warnOfMissingWorkers(ctx, o.taskQueue)
	out, err := openResults(o.out, c.stdout)
	if err != nil {
		return err
	}
	b := &batch{server: c.server, taskQueue: o.taskQueue, out: out, begun: time.Now(), sum: summary{Total: len(lines), Results: o.out}}
	counter := terminal.NewCounter(c.stderr, !terminal.Is(out.to), b.progress)
	err = b.run(ctx, lines, o.concurrency)
	counter.Stop()
	return c.endBatch(ctx, b, err)
}

// endBatch shows the summary and returns the command's exit.
func (c *cli) endBatch(ctx context.Context, b *batch, err error) error {
	closed := b.out.close(err == nil)
	switch {
	case ctx.Err() != nil:
		hint := "the same command again goes on"
		if b.sum.Results != "" {
			hint += "; results so far: " + b.out.name
		}
		err = fmt.Errorf("no longer waiting; %s; what was started goes on", b.standing())
		return &exit{code: exitInterrupted, err: err, hint: hint}
	case err != nil || closed != nil:
		return errors.Join(err, closed)
	}
	err = c.show(b.sum, func() {
		fmt.Fprintf(c.stderr, "%s: %d completed, %d failed\n", domain.Count(b.sum.Total, "deliberation"), b.sum.Completed, b.sum.Failed)
	})
	if err == nil && b.sum.Failed > 0 {
		return exitSilently(exitFailed)
	}
	return err
}

// run starts the requests in their order, some at a time, and waits for all of them.
func (b *batch) run(ctx context.Context, lines []batchLine, concurrency int) error {
	runners, running := errgroup.WithContext(ctx)
	runners.SetLimit(concurrency)
	for _, line := range lines {
		if running.Err() != nil {
			break
		}
		runners.Go(func() error {
			result, err := b.one(running, line)
			if err != nil {
				return err
			}
			return b.note(result)
		})
	}
	return runners.Wait()
}
