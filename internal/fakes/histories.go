package fakes

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// HistorySuffix ends the file names of recorded histories: compressed JSON in the form of `temporal workflow show`.
const HistorySuffix = ".json.gz"

// ReadHistory reads a recorded history.
func ReadHistory(t testing.TB, file string) *historypb.History {
	t.Helper()
	compressed, err := os.ReadFile(file)
	require.NoError(t, err)
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	require.NoError(t, err)
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	history := &historypb.History{}
	require.NoError(t, protojson.Unmarshal(text, history))
	return history
}
