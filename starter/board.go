package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"deliberation.io/deliberation/domain"
)

// board is where looks are shown: one place on a terminal, else one below the other.
type board struct {
	out   io.Writer
	file  *os.File // nil when it isn't a terminal
	drawn int      // lines
}

func (c *cli) newBoard() *board {
	b := &board{out: c.stdout}
	if file, is := terminal(c.stdout); is && os.Getenv("TERM") != "dumb" {
		b.file = file
	}
	return b
}

func (b *board) show(seen sight) error {
	lines := strings.Split(seen.text(), "\n")
	if b.file == nil {
		_, err := fmt.Fprintf(b.out, "%s\n\n", strings.Join(lines, "\n"))
		return err
	}
	width, height, err := term.GetSize(int(b.file.Fd()))
	if err != nil || width < 2 || height < 2 {
		width, height = 80, 24
	}
	lines = lines[:min(len(lines), height-1)]
	for i, line := range lines {
		// A line that wraps would take two of the rows that the next drawing goes back.
		lines[i] = strings.TrimRight(text.Snip(line, width-1, "…"), " ")
	}
	back := ""
	if b.drawn > 0 {
		back = fmt.Sprintf("\x1b[%dA\x1b[J", b.drawn)
	}
	b.drawn = len(lines)
	_, err = fmt.Fprintf(b.out, "%s%s\n", back, strings.Join(lines, "\n"))
	return err
}

func (s sight) text() string {
	title := fmt.Sprintf("%s, seen at %s", domain.Count(int(s.Total), "active deliberation"), when(&s.AsOf))
	if len(s.Jobs) == 0 {
		return title
	}
	t := newTable("deliberation", "role", "phase", "agents", "tokens", "runtime", "waiting for")
	for _, job := range s.Jobs {
		states, tokens := job.agents()
		t.AppendRow([]any{
			inline(job.DeliberationID), inline(job.Role), job.Phase, states, tokens,
			(time.Duration(job.RuntimeSeconds) * time.Second).String(), opening(job.WaitingFor, 1, 60),
		})
	}
	lines := title + "\n" + t.Render()
	if hidden := s.Total - int64(len(s.Jobs)); len(s.Jobs) == watchedMost && hidden > 0 {
		lines += fmt.Sprintf("\nand %d more", hidden)
	}
	return lines
}

// agents is how many agents are in which state, and the tokens of their turns.
func (w watched) agents() (states string, tokens int) {
	var order []domain.AgentState
	count := map[domain.AgentState]int{}
	for _, agent := range w.Agents {
		tokens += agent.Tokens
		count[agent.State]++
		if count[agent.State] == 1 {
			order = append(order, agent.State)
		}
	}
	var parts []string
	for _, state := range order {
		parts = append(parts, fmt.Sprintf("%d %s", count[state], state))
	}
	return strings.Join(parts, ", "), tokens
}
