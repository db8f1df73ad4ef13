package activities_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// unacceptedSubmits are the states in which a submit goes on until something ends it.
var unacceptedSubmits = map[string]func(*fakeRay){
	"while there is no room":        func(f *fakeRay) { f.refusals = []error{full(5 * time.Second)} },
	"while a submit isn't answered": func(f *fakeRay) { f.hangs = true },
}

func TestSubmitTurns_HandsOverWhenTheWorkerStops(t *testing.T) {
	for name, prepare := range unacceptedSubmits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				prepare(w.ray)
				begun := time.Now()
				time.AfterFunc(time.Second, func() { close(w.stopWorker) })

				_, err := trySubmit(w, submission(t, time.Hour))

				requireHandOver(t, err)
				require.Equal(t, time.Second, time.Since(begun))
			})
		})
	}
}

func TestSubmitTurns_EndsWhenItIsCancelled(t *testing.T) {
	for name, prepare := range unacceptedSubmits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				prepare(w.ray)
				time.AfterFunc(time.Second, w.cancel)

				_, err := trySubmit(w, submission(t, time.Hour))

				require.True(t, temporal.IsCanceledError(err), "%v", err)
			})
		})
	}
}

// requireHandOver checks for an error that lets another worker go on immediately.
func requireHandOver(t *testing.T, err error) {
	t.Helper()
	failed := failure(t, err)
	require.Equal(t, "HandedOver", failed.Type())
	require.False(t, failed.NonRetryable())
	require.Positive(t, failed.NextRetryDelay())
	require.LessOrEqual(t, failed.NextRetryDelay(), 100*time.Millisecond)
	require.Equal(t, temporal.ApplicationErrorCategoryBenign, failed.Category())
}
