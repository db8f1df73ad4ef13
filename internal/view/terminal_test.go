package view

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/term"
)

// seenBytes collects what a terminal gets.
type seenBytes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *seenBytes) read(from *os.File) {
	block := make([]byte, 4096)
	for {
		n, err := from.Read(block)
		s.mu.Lock()
		s.text.Write(block[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *seenBytes) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.text.Bytes(), []byte(text))
}

func TestOnARealTerminalCtrlCLeavesItAsItWas(t *testing.T) {
	const patience, often = 30 * time.Second, 10 * time.Millisecond
	keyboard, terminal, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() { _ = keyboard.Close(); _ = terminal.Close() })
	require.NoError(t, pty.Setsize(keyboard, &pty.Winsize{Cols: 80, Rows: 24}))
	before, err := term.GetState(int(terminal.Fd()))
	require.NoError(t, err)
	var seen seenBytes
	go seen.read(keyboard)

	program := Start(t.Context(), terminal, terminal, true, Actions{})
	program.Send(council(1, 1, 2, 3))
	require.Eventually(t, func() bool { return seen.has("agent-dev-003") && seen.has("\x1b[?1049h") }, patience, often)
	_, err = keyboard.Write([]byte{0x03})
	require.NoError(t, err)
	select {
	case <-program.Ended():
	case <-time.After(patience):
		require.Fail(t, "Ctrl-C doesn't end the view")
	}
	require.True(t, program.Stop(), "the person left it")
	require.NoError(t, program.Err())
	require.Eventually(t, func() bool { return seen.has("\x1b[?1049l") && seen.has("\x1b[?25h") }, patience, often)
	after, err := term.GetState(int(terminal.Fd()))
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestAViewThatCannotReadItsTerminalSaysSo(t *testing.T) {
	program := Start(t.Context(), iotest.ErrReader(errors.New("no keyboard")), &bytes.Buffer{}, true, Actions{})

	select {
	case <-program.Ended():
	case <-time.After(30 * time.Second):
		require.Fail(t, "it doesn't end")
	}

	require.False(t, program.Stop())
	require.ErrorContains(t, program.Err(), "no keyboard")
}
