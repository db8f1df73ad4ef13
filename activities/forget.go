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

// forgets lets runs that end at about the same time share a request. Only a worker that stops waits for it.
type forgets struct {
	mu      sync.Mutex
	paces   map[string]*rate.Limiter
	next    map[string]*forgetting // by cluster: the next request
	sending sync.WaitGroup
}

// forgetting is one request.
type forgetting struct {
	orders []domain.StopOrder
	failed []func(error) // called if the request fails
}

func newForgets() *forgets {
	return &forgets{paces: map[string]*rate.Limiter{}, next: map[string]*forgetting{}}
}

// leave adds an order to the cluster's next request. All handles are of one cluster.
func (f *forgets) leave(ctx context.Context, cluster domain.RayCluster, order domain.StopOrder, failed func(error)) {
	name := order.Handles[0].Cluster
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.next[name]
	if next == nil {
		next = &forgetting{}
		f.next[name] = next
		ctx = context.WithoutCancel(ctx)
		f.sending.Go(func() { f.send(ctx, cluster, name, next) })
	}
	next.orders, next.failed = append(next.orders, order), append(next.failed, failed)
}

// finish returns once no request is under way.
func (f *forgets) finish() { f.sending.Wait() }

func (f *forgets) send(ctx context.Context, cluster domain.RayCluster, name string, next *forgetting) {
	ctx, cancel := context.WithTimeout(ctx, workflows.CloseTries)
	defer cancel()
	err := f.pace(name).Wait(ctx)
	f.mu.Lock()
	delete(f.next, name)
	f.mu.Unlock()
	if err == nil {
		err = cluster.Forget(ctx, next.orders...)
	}
	if err != nil {
		for _, failed := range next.failed {
			failed(err)
		}
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
