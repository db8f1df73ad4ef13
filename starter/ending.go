package main

import (
	"errors"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

// ending is how a run ended, read from its last event: no worker is needed.
type ending struct {
	status    domain.DeliberationStatus
	result    workflows.Result // when completed
	errorType string
	message   string
	details   workflows.FailureDetails
	at        time.Time
}

// Types of failures that Temporal itself knows; the others are the workflow's own.
const (
	typeTerminated = "Terminated"
	typeTimedOut   = "TimedOut"
)

// endingOf reads the event; cancelled is the reason that a cancellation was asked for with.
func endingOf(event *historypb.HistoryEvent, cancelled string) (ending, error) {
	end := ending{status: domain.StatusFailed, at: event.GetEventTime().AsTime()}
	switch {
	case event.GetWorkflowExecutionCompletedEventAttributes() != nil:
		end.status = domain.StatusCompleted
		payloads := event.GetWorkflowExecutionCompletedEventAttributes().GetResult()
		return end, converter.GetDefaultDataConverter().FromPayloads(payloads, &end.result)
	case event.GetWorkflowExecutionFailedEventAttributes() != nil:
		end.fail(event.GetWorkflowExecutionFailedEventAttributes())
	case event.GetWorkflowExecutionCanceledEventAttributes() != nil:
		end.status, end.errorType = domain.StatusCancelled, string(domain.Cancelled)
		end.message = because("cancelled", cancelled)
	case event.GetWorkflowExecutionTerminatedEventAttributes() != nil:
		terminated := event.GetWorkflowExecutionTerminatedEventAttributes()
		end.errorType = typeTerminated
		end.message = because("terminated by "+first(terminated.GetIdentity(), "somebody"), terminated.GetReason())
	case event.GetWorkflowExecutionTimedOutEventAttributes() != nil:
		end.errorType, end.message = typeTimedOut, "timed out: the run was longer than its workflow timeout"
	default:
		end.errorType, end.message = event.GetEventType().String(), "ended in a way that this version doesn't know"
	}
	return end, nil
}

func (e *ending) fail(event *historypb.WorkflowExecutionFailedEventAttributes) {
	err := temporal.GetDefaultFailureConverter().FailureToError(event.GetFailure())
	e.errorType, e.message = "Failure", err.Error()
	var application *temporal.ApplicationError
	if !errors.As(err, &application) {
		return
	}
	e.errorType, e.message = application.Type(), application.Message()
	if application.HasDetails() {
		_ = application.Details(&e.details) // details of another version are left out; the message names them
	}
}

func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}
