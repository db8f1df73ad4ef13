package ray

import (
	"sync"
	"time"
)

const (
	// longestWait is the app's own bound.
	longestWait = 30 * time.Second
	// shortestWait keeps waits from becoming a flood of requests.
	shortestWait = time.Second
	// cutFor is how long waits stay short after one was cut.
	cutFor = 10 * time.Minute
)

// waits bounds how long the app is asked to wait. Serve's request_timeout_s, or a proxy's timeout, may end every
// request after a few seconds. Then waits are kept shorter than that.
type waits struct {
	mu      sync.Mutex
	longest time.Duration
	until   time.Time
}

// bound shortens a wait to the longest that is possible now.
func (w *waits) bound(wait time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.longest > 0 && time.Now().Before(w.until) {
		return min(max(0, wait), w.longest)
	}
	return min(max(0, wait), longestWait)
}

// cut records that a request was cut after this time. It reports whether shorter waits may help.
func (w *waits) cut(after time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest, w.until = max(shortestWait, after*2/3), time.Now().Add(cutFor)
	return after > shortestWait
}
