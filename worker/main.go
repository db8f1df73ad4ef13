// Command worker runs the deliberation workflows and their activities.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) //nolint:gocritic // stop only restores signals
}

// run returns the exit code: 0 done, 1 failed, 2 bad usage or configuration.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	check := flags.Bool("check-config", false, "check the configuration and exit")
	showVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *showVersion {
		fmt.Fprintln(stdout, version)
		return 0
	}
	configuration, warnings, err := readConfig(environ)
	if err == nil && *check && len(warnings) > 0 {
		err = fmt.Errorf("%s", warnings[0])
	}
	if err != nil {
		fmt.Fprintf(stderr, "worker: %s\n", err)
		return 2
	}
	if *check {
		configuration.print(stdout)
		return 0
	}
	log := newLogger(stderr, configuration)
	for _, warning := range warnings {
		log.Warn("configuration", "warning", warning)
	}
	if err := serve(ctx, configuration, log); err != nil {
		log.Error("worker stopped", "error", err)
		return 1
	}
	return 0
}
