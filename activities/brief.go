package activities

import (
	"context"

	"golang.org/x/sync/singleflight"

	"deliberation.io/deliberation/workflows/contract"
)

// briefs lets turns of one phase that are tried again at the same time read the history once: that of a large council
// has many megabytes.
type briefs struct{ reading singleflight.Group }

// find returns what read returns, to everybody who asks for the same brief meanwhile. Nobody may change it.
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
