package activities

import (
	"context"

	"golang.org/x/sync/singleflight"

	"deliberation.io/deliberation/workflows/contract"
)

// briefs shares the reading of a brief among the turns of a phase that are submitted again at the same time. The
// history of a large council has many megabytes.
type briefs struct{ reading singleflight.Group }

// find calls read once for all callers that ask for the same brief at the same time. They must not change the brief.
func (b *briefs) find(ctx context.Context, of string, read func(context.Context) (contract.Brief, error)) (contract.Brief, error) {
	found := b.reading.DoChan(of, func() (any, error) {
		reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), submitTry)
		defer cancel()
		return read(reading)
	})
	select {
	case answer := <-found:
		brief, _ := answer.Val.(contract.Brief)
		return brief, answer.Err
	case <-ctx.Done():
		return contract.Brief{}, ctx.Err()
	}
}
