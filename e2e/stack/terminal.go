//go:build integration

package stack

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// Terminal is a terminal on which a person uses the starter.
type Terminal struct {
	screen   *vt.SafeEmulator
	keyboard *os.File
	command  *exec.Cmd
	shown    chan struct{} // closed after the last output
}

// StarterOnTerminal runs this run's starter on a terminal of this size, with variables of its own.
func StarterOnTerminal(t *testing.T, columns, rows int, variables []string, args ...string) *Terminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	on := &Terminal{screen: vt.NewSafeEmulator(columns, rows), shown: make(chan struct{})}
	on.command = exec.CommandContext(ctx, filepath.Join(built, "starter"), args...)
	on.command.Env = append(append(os.Environ(), "TEMPORAL_ADDRESS="+At.TemporalAddress, "TERM=xterm-256color"), variables...)
	var err error
	on.keyboard, err = pty.StartWithSize(on.command, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)})
	require.NoError(t, err)
	go func() { // until the command has ended
		defer close(on.shown)
		_, _ = io.Copy(on.screen, on.keyboard)
	}()
	go func() { _, _ = io.Copy(on.keyboard, on.screen) }() // what a terminal answers by itself
	t.Cleanup(func() {
		_ = on.screen.Close()
		_ = on.keyboard.Close()
	})
	return on
}

// Screen returns what the person sees now.
func (on *Terminal) Screen() string { return ansi.Strip(on.screen.Render()) }

// Press types keys.
func (on *Terminal) Press(t *testing.T, keys string) {
	t.Helper()
	_, err := on.keyboard.WriteString(keys)
	require.NoError(t, err)
}

// Wait waits until the starter has ended, and returns its exit code and what is on the screen.
func (on *Terminal) Wait(t *testing.T) (code int, screen string) {
	t.Helper()
	<-on.shown
	_ = on.command.Wait() // the exit code says all of it
	return on.command.ProcessState.ExitCode(), on.Screen()
}
