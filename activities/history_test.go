package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/activities/statistics"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// pastSubmits is the history of a run that has submitted turns before.
type pastSubmits struct {
	statistics.Temporal

	inputs  []contract.SubmitTurnsInput
	err     error
	written converter.DataConverter // nil: the SDK's default
}

func (p *pastSubmits) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	events := []*historypb.HistoryEvent{{}} // an event of another kind comes first
	for _, in := range p.inputs {
		written := p.written
		if written == nil {
			written = converter.GetDefaultDataConverter()
		}
		payloads, err := written.ToPayloads(in)
		if err != nil {
			panic(err)
		}
		events = append(events, &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityType: &commonpb.ActivityType{Name: workflows.SubmitTurns.Name()}, Input: payloads,
			},
		}})
	}
	return &fakes.Events{Events: events, Err: p.err}
}

func TestSubmitTurns_ReadsARequestThatTheWorkersClientEncodes(t *testing.T) {
	w := newTestWorker(t)
	zipped := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), converter.NewZlibCodec(converter.ZlibCodecOptions{AlwaysEncode: true}))
	in := submission(t, time.Minute)
	w.with.Temporal, w.with.DataConverter = &pastSubmits{inputs: []contract.SubmitTurnsInput{in}, written: zipped}, zipped
	in.Brief = nil

	out, err := trySubmit(w, in)

	require.NoError(t, err)
	require.Len(t, out.Handles, 2)
}
