package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Live is a block of lines that is redrawn in place. It draws only on a terminal.
type Live struct {
	out   io.Writer
	size  func() (width, height int) // nil if out isn't a terminal
	drawn int                        // lines
}

// NewLive returns an empty block.
func NewLive(out io.Writer) *Live {
	l := &Live{out: out}
	if file, is := out.(*os.File); is && Understands(out) {
		l.size = func() (width, height int) { return sizeOf(file) }
	}
	return l
}

func sizeOf(file *os.File) (width, height int) {
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 2 || height < 2 {
		return 80, 24
	}
	return width, height
}

func (l *Live) InPlace() bool { return l.size != nil }

// Draw replaces the block. It cuts off what doesn't fit the terminal.
func (l *Live) Draw(lines []string) error {
	if !l.InPlace() {
		return nil
	}
	width, height := l.size()
	shown := make([]string, 0, len(lines))
	for _, line := range lines[:min(len(lines), height-1)] {
		// A line that wraps would take two rows, but the next drawing goes back only one row per line.
		shown = append(shown, strings.TrimRight(text.Snip(line, width-1, "…"), " "))
	}
	_, err := fmt.Fprintf(l.out, "%s%s\n", l.erasure(), strings.Join(shown, "\n"))
	l.drawn = len(shown)
	return err
}

func (l *Live) Clear() {
	fmt.Fprint(l.out, l.erasure())
	l.drawn = 0
}

// Leave keeps the block where it is; the next one is drawn below it.
func (l *Live) Leave() { l.drawn = 0 }

func (l *Live) erasure() string {
	if l.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\x1b[J", l.drawn)
}

// counterEvery is the time until a count is first shown, and between two drawings of a live one.
const counterEvery = 2 * time.Second

// Counter shows the progress of long work: as a live line on a terminal, else as a line now and then.
type Counter struct {
	stop, stopped chan struct{}
}

// NewCounter begins to show the words. Don't draw in place if other lines go to the same terminal.
func NewCounter(out io.Writer, inPlace bool, words func() string) *Counter {
	c := &Counter{stop: make(chan struct{}), stopped: make(chan struct{})}
	live := &Live{out: out}
	if inPlace {
		live = NewLive(out)
	}
	go c.show(live, words)
	return c
}

func (c *Counter) show(live *Live, words func() string) {
	defer close(c.stopped)
	defer live.Clear()
	every := quietMost
	if live.InPlace() {
		every = counterEvery
	}
	next := time.NewTimer(counterEvery)
	defer next.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-next.C:
			next.Reset(every)
		}
		if live.InPlace() {
			_ = live.Draw([]string{words()}) // an error means that the terminal is gone
		} else {
			fmt.Fprintln(live.out, words())
		}
	}
}

// Stop ends the count and removes it from the terminal.
func (c *Counter) Stop() {
	close(c.stop)
	<-c.stopped
}
