package main

import (
	"errors"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"deliberation.io/deliberation/internal/suggest"
)

// knownCommand refuses an unknown command.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	suggestion := ""
	if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
		suggestion = "; did you mean " + names[0] + "?"
	}
	return misused(seeHelp(cmd), "unknown command %q%s", args[0], suggestion)
}

// badFlag explains an error of the flags' parser.
func badFlag(cmd *cobra.Command, err error) error {
	if invalid, is := errors.AsType[*pflag.InvalidValueError](err); is {
		return misused(seeHelp(cmd), "--%s %s, got %q", invalid.GetFlag().Name, rule(invalid.GetFlag().Value), invalid.GetValue())
	}
	unknown, is := errors.AsType[*pflag.NotExistError](err)
	if !is {
		return misused(seeHelp(cmd), "%w", err)
	}
	if shorthands := unknown.GetSpecifiedShortnames(); shorthands != "" {
		return misused(seeHelp(cmd), "unknown flag %q in %q", "-"+unknown.GetSpecifiedName(), "-"+shorthands)
	}
	var known []string
	add := func(flag *pflag.Flag) { known = append(known, "--"+flag.Name) }
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	typed := "--" + unknown.GetSpecifiedName()
	return misused(seeHelp(cmd), "unknown flag %q%s", typed, suggest.For(typed, "--", known))
}

const longTime = "must be a time with its unit, for example 90m, 24h or 7d"

// rule says which values a flag takes. The parsers' own messages name types of Go.
func rule(value pflag.Value) string {
	switch _, long := value.(*model.Duration); {
	case long:
		return longTime
	case value.Type() == "duration":
		return "must be a time with its unit, for example 90s or 5m"
	case value.Type() == "int":
		return "must be a whole number"
	}
	return "must be true or false"
}

func seeHelp(cmd *cobra.Command) string { return "see " + cmd.CommandPath() + " --help" }

// oneID checks the argument of commands about one deliberation.
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

// complete sets the values that the shell offers for a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails only for an unknown flag
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// sinceFlag adds --since to a command.
func sinceFlag(cmd *cobra.Command, since *model.Duration, help string) {
	cmd.Flags().Var(since, "since", help+", for example 24h or 7d")
	if *since == 0 {
		cmd.Flags().Lookup("since").DefValue = "" // the help then shows no default instead of 0 s
	}
	complete(cmd, "since", "1h", "24h", "7d", "30d")
}

// startOf returns the time that --since names; zero if the flag wasn't given.
func startOf(cmd *cobra.Command, since model.Duration) (time.Time, error) {
	switch {
	case since != 0:
		return time.Now().Add(-time.Duration(since)).UTC(), nil
	case cmd.Flags().Changed("since"):
		return time.Time{}, misused(seeHelp(cmd), "--since %s, got %q", longTime, since)
	}
	return time.Time{}, nil
}
