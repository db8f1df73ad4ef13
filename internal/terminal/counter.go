package terminal

import (
	"fmt"
	"io"
	"time"
)

// counterEvery is when a count is first shown, and how often a live one is drawn again.
const counterEvery = 2 * time.Second

// Counter shows how far some long work is: as a live line on a terminal, else as a line now and then.
type Counter struct {
	stop, stopped chan struct{}
}

// NewCounter begins to show the words. Where other lines go to the same terminal, the count must not be
// drawn in place.
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
			_ = live.Draw([]string{words()}) // a terminal that is gone has no reader
		} else {
			fmt.Fprintln(live.out, words())
		}
	}
}

// Stop ends the count and takes it off a terminal.
func (c *Counter) Stop() {
	close(c.stop)
	<-c.stopped
}
