package terminal

import (
	"fmt"
	"io"
	"time"
)

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
