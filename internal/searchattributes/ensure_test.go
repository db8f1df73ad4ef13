package searchattributes_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"deliberation.io/deliberation/internal/searchattributes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestEnsure_MissingOnesCostAWarningWhereTheyAreNotRegistered(t *testing.T) {
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
				require.Contains(t, log, "temporal operator search-attribute create --namespace theirs --name Deliberation")
				require.Equal(t, len(contract.Attributes())-len(present), strings.Count(log, "--name "), "only what is missing")
			}
		})
	}
}

func TestEnsure_MissingOnesAreRegisteredOnce(t *testing.T) {
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

// SQL visibility has ten Keyword attributes for each namespace, and others may have taken most of them.
func TestEnsure_ANamespaceWithoutRoomGetsWhatFits(t *testing.T) {
	server := &operator{has: attributes{}, keywords: 3}

	present, settling, log := surveyed(t, server, true)

	require.Empty(t, present)
	require.Equal(t, []string{"DeliberationRole", "DeliberationTaskId", "DeliberationScore"}, settling)
	require.Contains(t, log, "level=INFO msg=\"search attributes registered")
	require.Contains(t, log, "level=WARN msg=\"search attributes are missing; register them to filter lists by them\""+
		" missing=DeliberationStoryId,DeliberationPlanId error=\"DeliberationStoryId: no room\""+
		" command=\"temporal operator search-attribute create --namespace theirs"+
		" --name DeliberationStoryId --type Keyword --name DeliberationPlanId --type Keyword\"")
}

func TestEnsure_AnotherWorkerMayRegisterAtTheSameTime(t *testing.T) {
	server := &operator{adds: status.Error(codes.AlreadyExists, "it exists")}

	present, settling, log := surveyed(t, server, true)

	require.Empty(t, present)
	require.Len(t, settling, len(contract.Attributes()))
	require.NotContains(t, log, "level=WARN")
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
	present, settling = searchattributes.Ensure(t.Context(), c, "theirs", register, logger)
	return present, settling, text.String()
}

type attributes = map[string]enumspb.IndexedValueType

// operator is what a Temporal server does with search attributes.
type operator struct {
	operatorservice.UnimplementedOperatorServiceServer

	has         attributes
	keywords    int   // one more than still fit; 0: any number
	lists, adds error // instead of an answer
}

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.has}, o.lists
}

func (o *operator) AddSearchAttributes(_ context.Context, in *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	if o.adds != nil {
		return nil, o.adds
	}
	for name, kind := range in.GetSearchAttributes() {
		if keyword := kind == enumspb.INDEXED_VALUE_TYPE_KEYWORD; keyword && o.keywords == 1 {
			return nil, status.Error(codes.InvalidArgument, "no room")
		} else if keyword && o.keywords > 1 {
			o.keywords--
		}
		o.has[name] = kind
	}
	return &operatorservice.AddSearchAttributesResponse{}, nil
}
