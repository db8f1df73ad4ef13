// Package periodic repeats work until a context ends.
package periodic

import (
	"context"
	"time"
)

// Every calls do again and again, with a pause between two calls, until the context ends.
func Every(ctx context.Context, pause time.Duration, do func(context.Context)) {
	for ctx.Err() == nil {
		do(ctx)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}
