package main

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// troubled is a Temporal that answers with errors first.
type troubled struct{ errors []error }

func (f *troubled) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest, ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error) {
	if len(f.errors) > 0 {
		var err error
		err, f.errors = f.errors[0], f.errors[1:]
		return nil, err
	}
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{Id: "id-1"}}, nil
}

func TestNamespaceID_IsAskedForUntilTemporalIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &troubled{errors: []error{serviceerror.NewUnavailable("database"), serviceerror.NewInternal("interrupted")}}

		id, err := namespaceID(t.Context(), from, "default", slog.New(slog.DiscardHandler))

		require.NoError(t, err)
		require.Equal(t, "id-1", id)
	})
}

func TestNamespaceID_AFinalAnswerEndsTheWorker(t *testing.T) {
	for variable, answer := range map[string]error{
		"TEMPORAL_NAMESPACE": serviceerror.NewNamespaceNotFound("default"),
		"TEMPORAL_API_KEY":   serviceerror.NewPermissionDenied("no", ""),
	} {
		t.Run(variable, func(t *testing.T) {
			from := &troubled{errors: []error{answer}}

			_, err := namespaceID(t.Context(), from, "default", slog.New(slog.DiscardHandler))

			require.ErrorIs(t, err, answer)
			require.ErrorContains(t, err, `namespace "default"`)
			require.ErrorContains(t, err, "set "+variable)
		})
	}
}
