package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
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
		Short: "Run many deliberations, some at a time, and gather their results",
		Long: `Run many deliberations, some at a time, and gather their results: a JSON line each, in the order in which
they end, with the number of the request's line. All requests are checked before any is started.

The same command again goes on where it was: what runs is attached to, what completed is taken as it is,
what failed is run again. Results go to stdout, or to the file of -o: meanwhile to one with .part behind
its name, so that those of an earlier call stay until there are new ones.

Exit code 0 when all completed, 1 when some failed, 2 when lines are bad: nothing is started then. Ctrl-C
ends the wait; what was started goes on.`,
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
	flags.StringVar(&o.taskQueue, "task-queue", first(os.Getenv("DELIBERATION_TASK_QUEUE"), contract.DefaultTaskQueue),
		"task queue of the workers; also DELIBERATION_TASK_QUEUE")
	_ = cmd.MarkFlagFilename("file", "jsonl") // the flags are there: they were defined above
	_ = cmd.MarkFlagFilename("output", "jsonl")
	complete(cmd, "concurrency")
	complete(cmd, "task-queue")
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
	_, mixed := terminal(out.to)
	count := c.newCounter(!mixed, b.progress)
	err = b.run(ctx, lines, o.concurrency)
	count.clear()
	return c.batched(ctx, b, err)
}

// batched is the command's exit.
func (c *cli) batched(ctx context.Context, b *batch, err error) error {
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
	case c.json:
		err = c.printJSON(b.sum)
	default:
		_, err = fmt.Fprintf(c.stderr, "%s: %d completed, %d failed\n", domain.Count(b.sum.Total, "deliberation"), b.sum.Completed, b.sum.Failed)
	}
	if err == nil && b.sum.Failed > 0 {
		return ended(exitFailed)
	}
	return err
}

// run starts the lines in their order, so many at a time, and waits for all of them.
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
