package runs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Ending says how a run ended, by its last event.
type Ending struct {
	Status    domain.DeliberationStatus
	Result    contract.Result // if completed
	ErrorType string
	Message   string
	Details   contract.FailureDetails
	At        time.Time
}

// Ending reads how a closed run ended: from the last event, and from an earlier event the reason for a cancellation.
func (r Reader) Ending(ctx context.Context, run Run) (Ending, error) {
	which := lastEvent
	if run.Info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED {
		which = allEvents
	}
	return endingFrom(run, events(ctx, r, run.execution(), which))
}

func (r Reader) AwaitEnding(ctx context.Context, run Run) (Ending, error) {
	return endingFrom(run, eventsUntilTheEnd(ctx, r, run.execution(), lastEvent))
}

func endingFrom(run Run, history iter.Seq2[*historypb.HistoryEvent, error]) (Ending, error) {
	t, err := timelineOf(history)
	if err != nil {
		return Ending{}, err
	}
	return t.Ending(run.ID)
}

func (t *Timeline) Ending(id string) (Ending, error) {
	end, err := endingOf(t.closing, t.cancelled)
	if err != nil {
		return Ending{}, fmt.Errorf("result of %q: %w", id, err)
	}
	if end.Status == domain.StatusCancelled {
		end.Details.Usage = contract.TotalUsageOf(t.council, nil) // the event of a cancellation has nothing
	}
	return end, nil
}

// endingOf reads the last event. The argument cancelled is the reason that was given for a cancellation.
func endingOf(event *historypb.HistoryEvent, cancelled string) (Ending, error) {
	end := Ending{Status: domain.StatusFailed, At: event.GetEventTime().AsTime()}
	outside, fromOutside := EndFromOutside(event)
	switch {
	case fromOutside:
		end.ErrorType, end.Message = string(outside.Kind), outside.Message
	case event.GetWorkflowExecutionCompletedEventAttributes() != nil:
		end.Status = domain.StatusCompleted
		payloads := event.GetWorkflowExecutionCompletedEventAttributes().GetResult()
		return end, converter.GetDefaultDataConverter().FromPayloads(payloads, &end.Result)
	case event.GetWorkflowExecutionFailedEventAttributes() != nil:
		end = end.failed(event.GetWorkflowExecutionFailedEventAttributes())
	case event.GetWorkflowExecutionCanceledEventAttributes() != nil:
		end.Status, end.ErrorType = domain.StatusCancelled, string(domain.Cancelled)
		end.Message = because("cancelled", cancelled)
	default:
		end.ErrorType, end.Message = event.GetEventType().String(), "ended in a way that this version doesn't know"
	}
	return end, nil
}

func (e Ending) failed(event *historypb.WorkflowExecutionFailedEventAttributes) Ending {
	err := temporal.GetDefaultFailureConverter().FailureToError(event.GetFailure())
	e.ErrorType, e.Message = "Failure", err.Error()
	application, is := errors.AsType[*temporal.ApplicationError](err)
	if !is {
		return e
	}
	e.ErrorType, e.Message = application.Type(), application.Message()
	if application.HasDetails() {
		_ = application.Details(&e.Details) // unreadable details are left out: the message sums them up
	}
	return e
}

func (e Ending) Usage() contract.TotalUsage {
	if e.Status == domain.StatusCompleted {
		return e.Result.Usage
	}
	return e.Details.Usage
}

func (e Ending) Words() string {
	switch e.ErrorType {
	case "":
		return string(e.Status)
	case string(domain.Cancelled), string(domain.Terminated), string(domain.TimedOut): // the message begins with it
		return e.Message
	}
	message := e.Message
	if len(e.Details.Failures) > 0 { // the caller lists them below the message
		message, _, _ = strings.Cut(message, "; "+e.Details.Failures[0].AgentID+": ")
	}
	return fmt.Sprintf("%s: %s: %s", e.Status, e.ErrorType, message)
}

// because joins what happened and why.
func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}
