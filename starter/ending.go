package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// ending is how a run ended, read from its last event: no worker is needed.
type ending struct {
	status    domain.DeliberationStatus
	result    contract.Result // when completed
	errorType string
	message   string
	details   contract.FailureDetails
	at        time.Time
}

// ending reads how a closed run ended: from its last event, and for the reason of a cancellation from
// the whole history.
func (s server) ending(ctx context.Context, e execution) (ending, error) {
	t := newTimeline()
	filter := enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
	if e.info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED {
		filter = enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT
	}
	events := s.GetWorkflowHistory(ctx, e.id, e.runID, false, filter)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return ending{}, err
		}
		t.take(event)
	}
	return t.ending(e.id)
}

func (t *timeline) ending(id string) (ending, error) {
	end, err := endingOf(t.closing, t.cancelled)
	if err != nil {
		return ending{}, fmt.Errorf("result of %q: %w", id, err)
	}
	return end, nil
}

// endingOf reads the event; cancelled is the reason that a cancellation was asked for with.
func endingOf(event *historypb.HistoryEvent, cancelled string) (ending, error) {
	end := ending{status: domain.StatusFailed, at: event.GetEventTime().AsTime()}
	outside, fromOutside := runs.EndFromOutside(event)
	switch {
	case fromOutside:
		end.errorType, end.message = string(outside.Kind), outside.Message
	case event.GetWorkflowExecutionCompletedEventAttributes() != nil:
		end.status = domain.StatusCompleted
		payloads := event.GetWorkflowExecutionCompletedEventAttributes().GetResult()
		return end, converter.GetDefaultDataConverter().FromPayloads(payloads, &end.result)
	case event.GetWorkflowExecutionFailedEventAttributes() != nil:
		end = end.failed(event.GetWorkflowExecutionFailedEventAttributes())
	case event.GetWorkflowExecutionCanceledEventAttributes() != nil:
		end.status, end.errorType = domain.StatusCancelled, string(domain.Cancelled)
		end.message = because("cancelled", cancelled)
	default:
		end.errorType, end.message = event.GetEventType().String(), "ended in a way that this version doesn't know"
	}
	return end, nil
}

func (e ending) failed(event *historypb.WorkflowExecutionFailedEventAttributes) ending {
	err := temporal.GetDefaultFailureConverter().FailureToError(event.GetFailure())
	e.errorType, e.message = "Failure", err.Error()
	application, is := errors.AsType[*temporal.ApplicationError](err)
	if !is {
		return e
	}
	e.errorType, e.message = application.Type(), application.Message()
	if application.HasDetails() {
		_ = application.Details(&e.details) // details of another version are left out; the message names them
	}
	return e
}

// code is the exit code of a run that has no result.
func (e ending) code() int {
	if e.errorType == string(domain.InvalidRequest) {
		return exitUsage
	}
	return exitFailed
}

// words say how it ended.
func (e ending) words() string {
	switch e.errorType {
	case "":
		return string(e.status)
	case string(domain.Cancelled), string(domain.Terminated), string(domain.TimedOut): // the message begins with it
		return e.message
	}
	message := e.message
	if len(e.details.Failures) > 0 { // they are listed below it
		message, _, _ = strings.Cut(message, "; "+e.details.Failures[0].AgentID+": ")
	}
	return fmt.Sprintf("%s: %s: %s", e.status, e.errorType, message)
}

func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}
