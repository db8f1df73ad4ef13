// Command starter starts deliberations and shows their state. It reads what Temporal keeps about a run, so most
// commands need no worker. Only a few look at anything else: doctor at Ray, NATS and the model server, clusters at
// the workers, and the live view at the agents' text on NATS.
//
// # Where to look
//
// This package holds the commands, each in a file of its name; root.go is their tree. source.go reads a
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
