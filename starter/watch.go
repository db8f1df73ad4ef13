package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/workflows/contract"
)

const (
	watchEvery  = 2 * time.Second
	watchedMost = 20 // deliberations that are looked at
)

// watcher looks at what runs again and again. A history is read again only when it has grown.
type watcher struct {
	server
	mu   sync.Mutex
	read map[string]*timeline // by run
	size map[string]int64     // of the history that was read
}

// sight is one look.
type sight struct {
	AsOf  time.Time `json:"as_of"`
	Total int64     `json:"total"`
	Jobs  []watched `json:"jobs"`
}

type watched struct {
	RunID          string `json:"run_id"`
	Role           string `json:"role"`
	RuntimeSeconds int64  `json:"runtime_seconds"`
	view
}

// watch shows what runs until somebody has seen enough, which is no failure.
func (c *cli) watch(ctx context.Context) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	w := &watcher{server: s, read: map[string]*timeline{}, size: map[string]int64{}}
	shown, away := c.newBoard(), false
	for {
		seen, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the error is that of a look that Ctrl-C ended
		case err != nil && !silent(err):
			return err
		case err != nil && !away:
			c.warn("temporal at %q does not answer; still watching", s.address)
			shown.drawn = 0
		case err == nil && c.json:
			err = c.printJSON(seen)
		case err == nil:
			err = shown.show(seen)
		}
		if away = silent(err); err != nil && !away {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// look asks for what runs, the newest first.
func (w *watcher) look(ctx context.Context) (sight, error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	running := deliberations().is("ExecutionStatus", "Running")
	seen := sight{AsOf: time.Now().UTC()}
	counted, err := w.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: w.namespace, Query: running.String()})
	if err != nil {
		return seen, err
	}
	seen.Total = counted.GetCount()
	jobs := make([]*watched, watchedMost)
	lookers, looking := errgroup.WithContext(ctx)
	lookers.SetLimit(readersMost)
	place := 0
	for e, err := range w.list(looking, running, watchedMost) {
		if err != nil {
			return seen, errors.Join(err, lookers.Wait())
		}
		at := place
		lookers.Go(func() (err error) {
			jobs[at], err = w.job(looking, e)
			return err
		})
		place++
		if place == watchedMost {
			break
		}
	}
	err = lookers.Wait()
	seen.Jobs = []watched{}
	for _, job := range jobs {
		if job != nil {
			seen.Jobs = append(seen.Jobs, *job)
		}
	}
	w.forget(seen)
	return seen, err
}

// job is how one of them stands; nil when it has ended in the meantime.
func (w *watcher) job(ctx context.Context, listed execution) (*watched, error) {
	e, err := w.describe(ctx, listed.id, listed.runID)
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) || (err == nil && !e.running()) {
		return nil, nil //nolint:nilnil // that there is none is an answer
	}
	if err != nil {
		return nil, err
	}
	t, err := w.story(ctx, e)
	if err != nil {
		return nil, err
	}
	v := openView(e, t)
	return &watched{
		RunID: e.runID, Role: e.about(contract.AttributeRole, contract.MemoRole), view: v,
		RuntimeSeconds: int64(time.Since(e.info.GetStartTime().AsTime()).Seconds()),
	}, nil
}

func (w *watcher) story(ctx context.Context, e execution) (*timeline, error) {
	w.mu.Lock()
	t, size := w.read[e.runID], w.size[e.runID]
	w.mu.Unlock()
	if t != nil && size == e.info.GetHistoryLength() {
		return t, nil
	}
	t, err := w.timeline(ctx, e)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read[e.runID], w.size[e.runID] = t, e.info.GetHistoryLength()
	return t, nil
}

// forget drops the histories of what isn't shown any more.
func (w *watcher) forget(seen sight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for run := range w.read {
		if !slices.ContainsFunc(seen.Jobs, func(job watched) bool { return job.RunID == run }) {
			delete(w.read, run)
			delete(w.size, run)
		}
	}
}
