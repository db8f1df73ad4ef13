// Package periodic repeats work until a context ends.
package periodic

import (
	"context"
	"time"
)

// Every calls do now, and again each time that pause has passed since it returned. It returns when the
// context ends.
func Every(ctx context.Context, pause time.Duration, do func(context.Context)) {
	for ctx.Err() == nil {
		do(ctx)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}
