package fakes

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
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

// WriteHistory replaces a recorded history.
func WriteHistory(t testing.TB, file string, history *historypb.History) {
	t.Helper()
	text, err := protojson.Marshal(history)
	require.NoError(t, err)
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	require.NoError(t, err)
	_, err = writer.Write(text)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, compressed.Bytes(), 0o600))
}

// PastRun is the history of one run, or the error of reading it. A reader gets it for every run id.
type PastRun struct {
	Events []*historypb.HistoryEvent
	Err    error
}

// GetWorkflowHistory reads the history from its beginning.
func (p PastRun) GetWorkflowHistory(
	context.Context, string, string, bool, enumspb.HistoryEventFilterType,
) client.HistoryEventIterator {
	return &Events{Events: p.Events, Err: p.Err}
}
