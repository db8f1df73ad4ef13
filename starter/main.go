// Command starter starts deliberations and shows their state. It talks to Temporal only: it reads what
// Temporal keeps of a run, so most commands need no worker, and none needs Ray or NATS. Only doctor and
// clusters look at those.
//
// # Where to look
//
// This package holds the commands, each in a file of its name; root.go is their tree. source.go reads a
// request and words.go makes one of words and flags; follow.go waits for a run. internal/runs reads runs,
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
	// The first signal ends the wait, and the program says what goes on. A second one ends the program at
	// once, because from then on signals do what they do by default.
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
	c.json = c.json || slices.Contains(args, "--json") // a bad flag before it keeps it from being read
	return c.report(ctx, err)
}
