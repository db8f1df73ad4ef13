// Command worker runs the deliberation workflows and their activities.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"deliberation.io/deliberation/internal/untrusted"
)

const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) //nolint:gocritic // stop only restores signals
}

const about = `worker runs deliberations: their workflows, and the activities that bring the agents' turns to Ray.

It reads its configuration from the environment. One variable is required:

  DELIBERATION_RAY_CLUSTERS=name=url   for example local=http://127.0.0.1:8000/deliberation

It finds Temporal as the temporal CLI does: by the TOML profile and the TEMPORAL_* variables.
docs/configuration.md lists all variables. SIGTERM ends the worker in an orderly way.

Exit codes: 0 done, 1 failed, 2 bad usage or configuration.

`

// run returns the exit code: 0 done, 1 failed, 2 bad usage or configuration.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	check := flags.Bool("check-config", false, "check the configuration and exit")
	showVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, about)
			flags.SetOutput(stdout)
			flags.PrintDefaults()
			return exitDone
		}
		fmt.Fprintf(stderr, "worker: %s; see worker --help\n", err)
		return exitMisuse
	}
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "worker: takes no arguments, got %q; it is configured by its environment\n", flags.Arg(0))
		return exitMisuse
	case *showVersion:
		fmt.Fprintln(stdout, version)
		return exitDone
	case *check:
		return checkConfig(environ, stdout, stderr)
	}
	return work(ctx, environ, stderr)
}

// checkConfig treats warnings as faults.
func checkConfig(environ []string, stdout, stderr io.Writer) int {
	configuration, warnings, err := readConfig(environ)
	if err != nil {
		warnings = append(strings.Split(err.Error(), "\n"), warnings...)
	}
	temporal, err := temporalOptions(environ)
	if err != nil {
		warnings = append(warnings, err.Error())
	}
	for _, warning := range warnings {
		fmt.Fprintf(stderr, "worker: %s\n", warning)
	}
	if len(warnings) > 0 {
		return exitMisuse
	}
	configuration.print(stdout, temporal)
	return exitDone
}

func work(ctx context.Context, environ []string, stderr io.Writer) int {
	configuration, warnings, err := readConfig(environ)
	if err != nil {
		fmt.Fprintf(stderr, "worker: %s\n", err)
		return exitMisuse
	}
	options, err := temporalOptions(environ)
	if err != nil {
		fmt.Fprintf(stderr, "worker: %s\n", err)
		return exitMisuse
	}
	log := newLogger(stderr, configuration)
	for _, warning := range warnings {
		log.Warn("configuration", "warning", warning)
	}
	collectOften(environ)
	err = serve(ctx, configuration, options, log)
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil: // it was asked to end before it had started
		log.Info("worker stopped", "cause", err)
		return exitDone
	}
	log.Error("worker stopped", "error", err)
	return exitFailed
}

// harmless keeps words of models and servers from steering the terminal of whoever reads the log.
func harmless(_ []string, attr slog.Attr) slog.Attr {
	switch value := attr.Value.Any().(type) {
	case string:
		attr.Value = slog.StringValue(untrusted.Printable(value))
	case error:
		attr.Value = slog.StringValue(untrusted.Printable(value.Error()))
	}
	return attr
}

func newLogger(out io.Writer, c config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: harmless}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
