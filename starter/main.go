// Command starter starts deliberations and shows how they stand. It talks to Temporal only: what it
// shows of a run comes from its history, from the heartbeats of its activities and from its queries, so
// most of it needs no worker, and none of it needs Ray or NATS. Only doctor looks at these, from outside.
//
// # Find your way
//
// root.go is the command tree; each command has a file of its name. words.go makes a request of words.
// find.go, timeline.go and ending.go read a run; view.go puts together what is known of it; follow.go
// waits for its end. visibility.go lists runs. doctor.go puts together what its neighbours, doctor_*.go, see.
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
	// The first signal ends the wait with a word of farewell. From then on signals do what they do by
	// default, so that a second one ends the program at once.
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
	c.json = c.json || slices.Contains(args, "--json") // also when a flag before it was at fault
	return c.report(ctx, err)
}
