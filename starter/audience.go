package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/internal/livetext"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/view"
	"deliberation.io/deliberation/workflows/contract"
)

// audience shows a run's progress: on a whole terminal ([screen]) or as lines ([lines]).
type audience interface {
	Changed(v runs.View, t *runs.Timeline) // by an event
	Look(v runs.View, t *runs.Timeline)    // every second
	Away(address string)
	Back()
	Left() <-chan struct{} // nil if nobody can leave
	Failed() error         // after Left: why the view failed; nil if the person left
	Close()
}

// audience returns the view if there is a terminal, else lines.
func (c *cli) audience(ctx context.Context, run runs.Run) audience {
	if c.json || c.noView || !terminal.Is(c.stdin) || !terminal.Understands(c.stderr) {
		return newLines(c.stderr)
	}
	program := view.Start(ctx, c.stdin, c.stderr, !c.noColor, view.Actions{
		Cancel:  func() error { return c.server.requestCancel(ctx, run, "cancelled in starter watch") },
		StopNow: func() error { return c.stopNow(ctx, run) },
	})
	stop, err := livetext.Follow(run.ID, program.Say)
	if err != nil {
		program.Send(view.Noted(fmt.Sprintf("no text of agents: %s", err)))
	}
	return &screen{program: program, silence: stop}
}

// stopWithin is how long a worker has to accept or refuse stop_now.
const stopWithin = 10 * time.Second

func (c *cli) stopNow(ctx context.Context, run runs.Run) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stopWithin, fmt.Errorf("no worker answered within %s", stopWithin))
	defer cancel()
	_, err := c.server.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: run.ID, RunID: run.RunID, UpdateName: contract.UpdateStopNow, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// screen is the view on a terminal.
type screen struct {
	program *view.Program
	silence func()
	away    bool
}

func (s *screen) Changed(v runs.View, t *runs.Timeline) { s.Look(v, t) }

func (s *screen) Look(v runs.View, t *runs.Timeline) {
	s.program.Send(view.Seen{View: v, Result: t.SoFar(v.DeliberationID), Most: t.Request().MostCalls(), At: time.Now()})
}

func (s *screen) Away(address string) {
	s.away = true
	s.program.Send(view.Noted(fmt.Sprintf("temporal at %q does not answer; still waiting", address)))
}

func (s *screen) Back() {
	if s.away {
		s.away = false
		s.program.Send(view.Noted(""))
	}
}

func (s *screen) Left() <-chan struct{} { return s.program.Ended() }
func (s *screen) Failed() error         { return s.program.Err() }

func (s *screen) Close() {
	s.silence()
	s.program.Stop()
}

// lines is progress as lines, one for each change.
type lines struct{ *terminal.Progress }

func newLines(out io.Writer) lines { return lines{terminal.NewProgress(out)} }

func (l lines) Changed(v runs.View, _ *runs.Timeline) { l.Agents(v) }
func (l lines) Look(v runs.View, _ *runs.Timeline)    { l.Show(v) }

func (lines) Left() <-chan struct{} { return nil }

func (lines) Failed() error { return nil }

func (lines) Close() {}
