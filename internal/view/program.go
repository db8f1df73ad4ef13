package view

import (
	"context"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"deliberation.io/deliberation/internal/livetext"
)

// sayEvery is how often the view takes what agents say: each time costs a whole frame.
const sayEvery = 50 * time.Millisecond

// Program is the view on a terminal.
type Program struct {
	program *tea.Program
	ended   chan struct{}
	left    bool
	err     error

	mu   sync.Mutex
	said Said // that the view hasn't taken yet
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

// Say passes on what an agent says, soon, together with what others say.
func (p *Program) Say(piece livetext.Piece) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, piece)
	if len(p.said) == 1 {
		time.AfterFunc(sayEvery, p.passOn)
	}
}

func (p *Program) passOn() {
	p.mu.Lock()
	said := p.said
	p.said = nil
	p.mu.Unlock()
	p.program.Send(said)
}

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
