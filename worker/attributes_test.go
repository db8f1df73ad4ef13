package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/searchattributes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestSearchAttributes_MissingOnesCostAWarningWhereTheyAreNotRegistered(t *testing.T) {
	denied := status.Error(codes.PermissionDenied, "not for workers")
	for name, c := range map[string]struct {
		server operator
		keeps  bool // the worker is told not to register any
		want   string
	}{
		"denied":                 {operator{adds: denied}, false, "not for workers"},
		"not asked for":          {operator{}, true, "are missing"},
		"not even to be read":    {operator{lists: denied}, false, "not readable"},
		"denied, but there is 1": {operator{adds: denied, has: attributes{"DeliberationRole": enumspb.INDEXED_VALUE_TYPE_KEYWORD}}, false, "are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			present, settling, log := surveyed(t, &c.server, !c.keeps)

			require.Len(t, present, len(c.server.has))
			require.Empty(t, settling)
			require.Equal(t, 1, strings.Count(log, "level="), log)
			require.Contains(t, log, "level=WARN")
			require.Contains(t, log, c.want)
			if c.server.lists == nil {
				require.Contains(t, log, searchattributes.CreateCommand("theirs"))
			}
		})
	}
}

func TestSearchAttributes_MissingOnesAreRegisteredOnce(t *testing.T) {
	server := &operator{has: attributes{"DeliberationScore": enumspb.INDEXED_VALUE_TYPE_TEXT}}

	present, settling, log := surveyed(t, server, true)

	require.Empty(t, present)
	require.Len(t, settling, len(contract.Attributes())-1)
	require.NotContains(t, settling, "DeliberationScore")
	require.Contains(t, log, "level=WARN msg=\"search attribute has another type here; it isn't used\" name=DeliberationScore")
	require.Contains(t, log, "level=INFO msg=\"search attributes registered")

	present, settling, _ = surveyed(t, server, true)
	require.Len(t, present, len(contract.Attributes())-1)
	require.Empty(t, settling)
}

func TestEnvironment_UsesNewSearchAttributesWhenEveryHostKnowsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := environment{
			clusters: func() []domain.ClusterState { return nil },
			settings: domain.Settings{Attributes: []string{"DeliberationRole"}},
			settling: []string{"DeliberationScore"}, settled: time.Now().Add(settleAfter),
		}
		require.Equal(t, []string{"DeliberationRole"}, e.Settings().Attributes)
		time.Sleep(settleAfter + 1)
		require.Equal(t, []string{"DeliberationRole", "DeliberationScore"}, e.Settings().Attributes)
		require.Equal(t, []string{"DeliberationRole"}, e.settings.Attributes)
	})
}

func surveyed(t *testing.T, server *operator, register bool) (present, settling []string, log string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serving := grpc.NewServer()
	operatorservice.RegisterOperatorServiceServer(serving, server)
	go func() { _ = serving.Serve(listener) }()
	defer serving.Stop()
	text := &bytes.Buffer{}
	logger := slog.New(slog.NewTextHandler(text, nil))
	c, err := client.NewLazyClient(client.Options{HostPort: listener.Addr().String(), Namespace: "theirs", Logger: logger})
	require.NoError(t, err)
	defer c.Close()
	present, settling = searchAttributes(t.Context(), c, "theirs", register, logger)
	return present, settling, text.String()
}

type attributes = map[string]enumspb.IndexedValueType

// operator is what a Temporal server does with search attributes.
type operator struct {
	operatorservice.UnimplementedOperatorServiceServer

	has         attributes
	lists, adds error
}

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.has}, o.lists
}

func (o *operator) AddSearchAttributes(_ context.Context, in *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	if o.adds == nil {
		maps.Copy(o.has, in.GetSearchAttributes())
	}
	return &operatorservice.AddSearchAttributesResponse{}, o.adds
}
