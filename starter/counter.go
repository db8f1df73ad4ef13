package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// counterAfter is when a count that goes on is first shown, and how often on a terminal.
const counterAfter = 2 * time.Second

// counter shows on stderr how far something is that takes longer: in place on a terminal, else in a line now
// and then.
type counter struct {
	words   func(done int) string
	done    atomic.Int64
	stopped chan struct{}
	ended   chan struct{}
}

// newCounter starts to count. What prints lines to the same terminal meanwhile can't have it in place.
func (c *cli) newCounter(alone bool, words func(done int) string) *counter {
	count := &counter{words: words, stopped: make(chan struct{}), ended: make(chan struct{})}
	_, inPlace := terminal(c.stderr)
	go count.show(c.stderr, inPlace && alone && os.Getenv("TERM") != "dumb")
	return count
}

func (c *counter) add(n int) { c.done.Add(int64(n)) }

func (c *counter) show(out io.Writer, inPlace bool) {
	defer close(c.ended)
	every, before, after := quietMost, "", "\n"
	if inPlace {
		every, before, after = counterAfter, "\r\x1b[K", ""
	}
	tick := time.NewTimer(counterAfter)
	defer tick.Stop()
	for {
		select {
		case <-c.stopped:
			fmt.Fprint(out, before)
			return
		case <-tick.C:
			fmt.Fprint(out, before, c.words(int(c.done.Load())), after)
			tick.Reset(every)
		}
	}
}

// clear ends it, and takes it off a terminal.
func (c *counter) clear() {
	close(c.stopped)
	<-c.ended
}
