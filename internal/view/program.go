package view

import (
	"context"
	"io"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// Program is the view on a terminal.
type Program struct {
	program *tea.Program
	ended   chan struct{}
	left    bool
	err     error
}

// Start shows the view until it is left, or until Stop.
func Start(ctx context.Context, in io.Reader, out io.Writer, colours bool, actions Actions) *Program {
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()}
	if !colours {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	p := &Program{program: tea.NewProgram(New(actions), options...), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		model, err := p.program.Run()
		last, is := model.(Model)
		p.left, p.err = is && last.Left(), err
	}()
	return p
}

// Send passes a message to the view.
func (p *Program) Send(msg tea.Msg) { p.program.Send(msg) }

// Ended returns a channel that is closed when the view has left the terminal.
func (p *Program) Ended() <-chan struct{} { return p.ended }

// Err returns why the view ended by itself; nil if the person left it. Call it after Ended.
func (p *Program) Err() error {
	if p.left {
		return nil
	}
	return p.err
}

// Stop removes the view from the terminal, and reports whether the person had left it.
func (p *Program) Stop() bool {
	p.program.Send(Over{})
	<-p.ended
	return p.left
}
