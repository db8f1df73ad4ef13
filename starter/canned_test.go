//go:build integration

package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func matches(pattern, text string) bool {
	return regexp.MustCompile("(?m)" + pattern).MatchString(text)
}

// surroundings are what deliberations open with: one cluster, no events, any model server, all attributes.
type surroundings struct{}

func (surroundings) Settings() domain.Settings {
	settings := domain.Settings{Clusters: []domain.ClusterState{{Name: "local"}}}
	for _, key := range contract.Attributes() {
		settings.Attributes = append(settings.Attributes, key.GetName())
	}
	return settings
}

// registerCanned binds the steps to outcomes that the task's description asks for:
// "full": Ray has no room; "slow": the turns run until they are stopped; "held": until they are released;
// "away": Ray doesn't answer. An agent whose id has "fail" in it fails for good.
func registerCanned(w worker.Worker, released <-chan struct{}) {
	named := func(name string, do any) {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
	named(workflows.SubmitTurns.Name(), cannedSubmit)
	named(workflows.AwaitTurn.Name(), func(ctx context.Context, in contract.AwaitTurnInput) (contract.TurnOutcome, error) {
		return cannedAwait(ctx, in, released)
	})
	named(workflows.StopTurns.Name(), cannedStop)
	named(workflows.CountDeliberations.Name(), cannedCount)
}

func cannedSubmit(ctx context.Context, in contract.SubmitTurnsInput) (contract.SubmitTurnsResult, error) {
	description := in.Request.Domain().TaskDescription()
	if strings.Contains(description, "full") {
		progress := contract.SubmitProgress{State: "queued", Cluster: in.Cluster, Refusal: "no room: 2 of 2 turns run", Since: time.Now()}
		return contract.SubmitTurnsResult{}, beat(ctx, nil, progress)
	}
	var handles []contract.Handle
	for i, turn := range in.Turns {
		runner := strings.Fields(description)[0]
		if strings.Contains(turn.AgentID, "fail") {
			runner = "fail"
		}
		handles = append(handles, contract.Handle{
			TurnID: turn.TurnID, Cluster: in.Cluster, Runner: fmt.Sprintf("%s/%d", runner, i), Incarnation: "1",
		})
	}
	return contract.SubmitTurnsResult{Handles: handles}, nil
}

func cannedAwait(ctx context.Context, in contract.AwaitTurnInput, released <-chan struct{}) (contract.TurnOutcome, error) {
	scene, seat, _ := strings.Cut(in.Handle.Runner, "/")
	progress := contract.AwaitProgress{Polls: 1, State: "running", LastAnswerAt: time.Now(), Tokens: 7}
	switch scene {
	case "fail":
		return contract.TurnOutcome{Kind: domain.OutcomeFailed, ErrorType: domain.ModelRejected, Message: "the model said no"}, nil
	case "away":
		return contract.TurnOutcome{}, errors.New("connection refused by the gateway")
	case "slow":
		return contract.TurnOutcome{}, beat(ctx, nil, progress)
	case "held":
		if err := beat(ctx, released, progress); err != nil {
			return contract.TurnOutcome{}, err
		}
	}
	return contract.TurnOutcome{
		Kind: domain.OutcomeCompleted, Proposal: "CANNED proposal " + seat + "\nwith a \x1b[31mred\x1b[0m line\nand a third",
		Reasoning: "CANNED reasons", Score: map[string]float64{"0": 0.5, "1": 0.9}[seat] + 0.01, Calls: 1,
		Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 20}, DurationMS: 1200,
	}, nil
}

// beat sends heartbeats until it is over or the step is stopped.
func beat(ctx context.Context, over <-chan struct{}, progress any) error {
	for {
		activity.RecordHeartbeat(ctx, progress)
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-activity.GetWorkerStopChannel(ctx):
			return errors.New("the worker stops")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func cannedStop(_ context.Context, in contract.StopTurnsInput) (contract.StopTurnsResult, error) {
	stopped := contract.StopTurnsResult{Outcomes: map[domain.TurnID]contract.TurnOutcome{}}
	for _, handle := range in.Stop {
		stopped.Outcomes[handle.TurnID] = contract.TurnOutcome{Kind: domain.OutcomeCancelled}
	}
	return stopped, nil
}

func cannedCount(context.Context, contract.CountInput) (contract.CountResult, error) {
	now := time.Now().UTC()
	return contract.CountResult{
		Stats: contract.Stats{Total: 6, Active: 1, Completed: 3, Failed: 1, Cancelled: 1, AverageMS: 2000},
		Jobs: []contract.ActiveJob{{
			WorkflowID: "deliberation-T-9", RunID: "run-9", TaskID: "T-9", Role: "DEV", Start: now.Add(-125 * time.Second),
		}},
		AsOf: now,
	}, nil
}
