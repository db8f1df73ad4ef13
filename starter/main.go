// Command starter starts deliberations and shows their state. It reads what Temporal keeps about a run, so most
// commands need no worker. Only a few look at anything else: doctor at Ray, NATS and the model server, clusters at
// the workers, and the live view at the agents' text on NATS.
//
// # Where to look
//
// This package holds the commands, each in a file of its name; this file has their tree. source.go reads a
// request and words.go makes one of words and flags; watch.go waits for a run. internal/runs reads runs,
// internal/terminal shows them, internal/doctor checks what deliberations need.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/tracing"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the wait, and the program says what goes on. After that, signals have their default effect,
	// so that a second one ends the program immediately.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr}
	defer c.disconnect(ctx)
	root := c.root() //nolint:contextcheck // commands get the context from ExecuteContext
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	c.json = c.json || slices.Contains(args, "--json") // cobra doesn't read it after a bad flag
	return c.report(ctx, err)
}

// cli is one call of the program, with its streams, global flags and connection.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	json      bool
	noView    bool
	noColor   bool
	address   string
	namespace string
	profile   string

	server server
	traces *tracing.Tracing
}

const about = `starter starts deliberations and shows their state.

A deliberation gives a task to a council of agents, each an LLM call on a Ray cluster, and ranks their
proposals. Temporal keeps it: closing this program, or switching off its machine, does not end it.

Exit codes: 0 done, 1 failed, 2 bad usage or a request that breaks a rule, 3 not found,
4 another request under this task id, 5 Temporal can't be used, 130 interrupted (what was started
goes on).

With --json stdout has one JSON object, whatever happens. An error for which the command has no answer of
its own is {"status":"error","error_type":…,"message":…}; its words are on stderr as well.

Temporal is found as the temporal CLI finds it: by its TOML profile and the TEMPORAL_* variables.`

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:                        "starter",
		Short:                      "Start deliberations and show their state",
		Long:                       about,
		Version:                    version,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "print one JSON object on stdout, also for an error")
	flags.BoolVar(&c.noView, "no-view", false, "show progress as lines, also on a terminal")
	flags.BoolVar(&c.noColor, "no-color", os.Getenv("NO_COLOR") != "", "print without colours; also NO_COLOR")
	flags.StringVar(&c.address, "address", "", "Temporal's address; also TEMPORAL_ADDRESS")
	flags.StringVar(&c.namespace, "namespace", "", "Temporal namespace; also TEMPORAL_NAMESPACE")
	flags.StringVar(&c.profile, "profile", "", "profile of Temporal's TOML file; also TEMPORAL_PROFILE")
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(c.runCommand(), c.batchCommand(), c.statusCommand(), c.resultCommand(), c.requestCommand(),
		c.cancelCommand(), c.listCommand(), c.jobsCommand(), c.statsCommand(), c.usageCommand(), c.setupCommand(),
		c.clustersCommand(), c.doctorCommand(), c.watchCommand(), c.reportCommand())
	return root
}
