package activities

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

// forgetPause is the shortest time between two forget requests to one cluster. A run that ends alone doesn't wait for
// it.
const forgetPause = 250 * time.Millisecond

// forgets lets runs that end at about the same time share a request.
type forgets struct {
	mu    sync.Mutex
	paces map[string]*rate.Limiter
	open  map[string]*forgetting // by cluster: the next request
}

// forgetting is one request. The error is set when done is closed.
type forgetting struct {
	orders []domain.StopOrder
	done   chan struct{}
	err    error
}

func newForgets() *forgets {
	return &forgets{paces: map[string]*rate.Limiter{}, open: map[string]*forgetting{}}
}

// forget returns once the outcomes are forgotten. All handles are of one cluster.
func (f *forgets) forget(ctx context.Context, cluster domain.RayCluster, order domain.StopOrder) error {
	name := order.Handles[0].Cluster
	f.mu.Lock()
	next := f.open[name]
	if next == nil {
		next = &forgetting{done: make(chan struct{})}
		f.open[name] = next
		go f.send(context.WithoutCancel(ctx), cluster, name, next)
	}
	next.orders = append(next.orders, order)
	f.mu.Unlock()
	select {
	case <-next.done:
		return next.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *forgets) send(ctx context.Context, cluster domain.RayCluster, name string, next *forgetting) {
	ctx, cancel := context.WithTimeout(ctx, workflows.CloseTries)
	defer cancel()
	defer close(next.done)
	next.err = f.pace(name).Wait(ctx)
	f.mu.Lock()
	delete(f.open, name)
	f.mu.Unlock()
	if next.err == nil {
		next.err = cluster.Forget(ctx, next.orders...)
	}
}

func (f *forgets) pace(cluster string) *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.paces[cluster] == nil {
		f.paces[cluster] = rate.NewLimiter(rate.Every(forgetPause), 1)
	}
	return f.paces[cluster]
}
