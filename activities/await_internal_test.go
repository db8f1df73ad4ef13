package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

func TestBeyondPace(t *testing.T) {
	policy := &temporal.RetryPolicy{InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 5 * time.Second}
	for name, c := range map[string]struct {
		policy      *temporal.RetryPolicy
		attempt     int32
		asked, want time.Duration
	}{
		"longer than the first pause":      {policy, 1, time.Second, time.Second},
		"as long as the second":            {policy, 2, time.Second, 0},
		"longer than any":                  {policy, 5000, 6 * time.Second, 6 * time.Second},
		"shorter than the longest":         {policy, 5000, 4 * time.Second, 0},
		"nothing asked":                    {policy, 1, 0, 0},
		"a server without a policy":        {nil, 1, time.Second, time.Second},
		"such a server, and nothing asked": {nil, 3, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, beyondPace(activity.Info{RetryPolicy: c.policy, Attempt: c.attempt}, c.asked))
		})
	}
}
