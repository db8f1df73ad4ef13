package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"deliberation.io/deliberation/internal/suggest"
	"deliberation.io/deliberation/internal/tracing"
)

// cli is one call of the program: its streams, its global flags, its connection.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	json      bool
	noColor   bool
	address   string
	namespace string
	profile   string

	server server
	traces *tracing.Tracing
}

const about = `starter starts deliberations and shows how they stand.

A deliberation puts a task to a council of agents, each an LLM call on a Ray cluster, and ranks what
they propose. Temporal holds it: closing this program, or its machine, does not end it.

Exit codes: 0 done, 1 failed, 2 bad usage or a request that breaks a rule, 3 not found,
4 another request under this task id, 5 Temporal can't be used, 130 interrupted (what was started
goes on).

With --json stdout has one JSON object, whatever comes of it: an error that no command has an answer of
its own for is {"status":"error","error_type":…,"message":…}, and its words are on stderr as well.

Temporal is found as the temporal CLI finds it: by its TOML profile and the TEMPORAL_* variables.`

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "starter",
		Short:         "Start deliberations and show how they stand",
		Long:          about,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "print one JSON object on stdout, also for an error")
	flags.BoolVar(&c.noColor, "no-color", os.Getenv("NO_COLOR") != "", "print without colours; also NO_COLOR")
	flags.StringVar(&c.address, "address", "", "Temporal's address; also TEMPORAL_ADDRESS")
	flags.StringVar(&c.namespace, "namespace", "", "Temporal namespace; also TEMPORAL_NAMESPACE")
	flags.StringVar(&c.profile, "profile", "", "profile of Temporal's TOML file; also TEMPORAL_PROFILE")
	root.SetFlagErrorFunc(unknownFlag)
	root.AddCommand(c.runCommand(), c.batchCommand(), c.statusCommand(), c.resultCommand(), c.requestCommand(), c.cancelCommand(),
		c.listCommand(),
		c.jobsCommand(), c.statsCommand(), c.usageCommand(), c.setupCommand(), c.clustersCommand(), c.doctorCommand())
	return root
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	names := make([]string, 0, len(cmd.Commands()))
	for _, known := range cmd.Commands() {
		names = append(names, known.Name())
	}
	return misused(seeHelp(cmd), "unknown command %q%s", args[0], suggest.For(args[0], "", names))
}

func unknownFlag(cmd *cobra.Command, err error) error {
	if invalid, is := errors.AsType[*pflag.InvalidValueError](err); is {
		return misused(seeHelp(cmd), "--%s %s, got %q", invalid.GetFlag().Name, wanted(invalid), invalid.GetValue())
	}
	unknown, is := errors.AsType[*pflag.NotExistError](err)
	if !is {
		return misused(seeHelp(cmd), "%w", err)
	}
	if shorthands := unknown.GetSpecifiedShortnames(); shorthands != "" {
		return misused(seeHelp(cmd), "unknown flag %q in %q", "-"+unknown.GetSpecifiedName(), "-"+shorthands)
	}
	var names []string
	add := func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) }
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	name := unknown.GetSpecifiedName()
	return misused(seeHelp(cmd), "unknown flag %q%s", "--"+name, suggest.For("--"+name, "--", names))
}

// wanted says what a flag takes.
func wanted(invalid *pflag.InvalidValueError) string {
	switch invalid.GetFlag().Value.Type() {
	case "int":
		return "must be a whole number"
	case "bool":
		return "must be true or false"
	}
	return invalid.Unwrap().Error()
}

func seeHelp(cmd *cobra.Command) string { return "see " + cmd.CommandPath() + " --help" }

// oneID is the argument of the commands that are about one deliberation.
func oneID(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return misused(seeHelp(cmd), "%s takes a deliberation id or a task id", cmd.Name())
	case len(args) > 1:
		return misused(seeHelp(cmd), "%s takes one deliberation id, got %d", cmd.Name(), len(args))
	case strings.TrimSpace(args[0]) == "":
		return misused(seeHelp(cmd), "%s takes a deliberation id or a task id, got an empty one", cmd.Name())
	}
	return nil
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused(seeHelp(cmd), "%s takes no arguments, got %q", cmd.Name(), args[0])
	}
	return nil
}
