package domain_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// The Ray app's tests read the same table: worker and runner must agree on every URL.
func TestURLsAreReadAsTheRayAppReadsThem(t *testing.T) {
	text, err := os.ReadFile("../deploy/ray/tests/url_vectors.json")
	require.NoError(t, err)
	var vectors struct {
		Accepted []struct {
			URL string `json:"url"`
		} `json:"accepted"`
		Malformed []string `json:"malformed"`
		Refused   []string `json:"refused"`
	}
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.NotEmpty(t, vectors.Accepted)
	for _, accepted := range vectors.Accepted {
		require.NoError(t, faultOf(accepted.URL), accepted.URL)
		require.Empty(t, domain.AllowList{}.Check(accepted.URL), accepted.URL)
	}
	require.NotEmpty(t, vectors.Malformed)
	for _, malformed := range vectors.Malformed {
		if (domain.AllowList{}).Check(malformed) != neverAllowed {
			require.ErrorContains(t, faultOf(malformed), "vllm_url: ", "%q", malformed)
		}
	}
	require.NotEmpty(t, vectors.Refused)
	for _, refused := range vectors.Refused {
		require.NoError(t, faultOf(refused), refused)
		require.Equal(t, neverAllowed, domain.AllowList{}.Check(refused), refused)
	}
}

func faultOf(url string) error {
	spec := specOf(1)
	spec.VLLMURL = url
	_, err := domain.NewDeliberationRequest(spec)
	return err
}
