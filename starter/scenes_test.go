//go:build integration

package main

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func matches(pattern, text string) bool {
	return regexp.MustCompile("(?m)" + pattern).MatchString(text)
}

// environment is what deliberations open with: one cluster, no events, any model server, all attributes.
func environment() *fakes.Environment {
	return &fakes.Environment{Current: domain.Settings{
		Clusters: []domain.ClusterState{{Name: "local"}}, Attributes: fakes.AttributeNames(),
	}}
}

// newScenes makes services that do what the first word of a task's description asks for:
// "full": Ray has no room; "slow": the turns run until they are stopped; "held": they run until they are
// released; "away": Ray doesn't answer. An agent whose id has "fail" in it fails for good.
func newScenes(released <-chan struct{}) fakes.Services {
	services := fakes.NewServices(nil)
	services.Ray.SubmitReplyFor = submitReply
	services.Ray.ScriptFor = func(task, agent string) fakes.Script {
		scene, _, _ := strings.Cut(task, " ")
		if strings.Contains(agent, "fail") {
			scene = "fail"
		}
		return fakes.Replies(turnReply(scene, agent, released))
	}
	services.Visibility.Replies = []fakes.Reply[contract.CountResult]{{Value: counted()}}
	return services
}

func submitReply(task string) fakes.Reply[contract.SubmitTurnsResult] {
	if !strings.HasPrefix(task, "full ") {
		return fakes.Reply[contract.SubmitTurnsResult]{}
	}
	progress := contract.SubmitProgress{State: "queued", Cluster: "local", Refusal: "no room: 2 of 2 turns run", Since: time.Now()}
	return fakes.Reply[contract.SubmitTurnsResult]{Delay: fakes.Forever, Progress: progress}
}

func turnReply(scene, agent string, released <-chan struct{}) fakes.Reply[contract.TurnOutcome] {
	number, score := numberAndScore(agent)
	reply := fakes.Reply[contract.TurnOutcome]{
		Progress: contract.AwaitProgress{Polls: 1, State: "running", LastAnswerAt: time.Now(), Tokens: 7},
		Value: contract.TurnOutcome{
			Kind: domain.OutcomeCompleted, Proposal: "CANNED proposal " + number + "\nwith a \x1b[31mred\x1b[0m line\nand a third",
			Reasoning: "CANNED reasons", Score: score, Calls: 1,
			Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 20}, DurationMS: 1200,
		},
	}
	switch scene {
	case "fail":
		return fakes.Reply[contract.TurnOutcome]{Value: contract.TurnOutcome{
			Kind: domain.OutcomeFailed, ErrorType: domain.ModelRejected, Message: "the model said no",
		}}
	case "away":
		return fakes.Reply[contract.TurnOutcome]{Err: errors.New("connection refused by the gateway")}
	case "slow":
		reply.Delay = fakes.Forever
	case "held":
		reply.Delay, reply.Until = fakes.Forever, released
	}
	return reply
}

// numberAndScore tell the agents of a council apart: the second one has the best score.
func numberAndScore(agent string) (number string, score float64) {
	switch {
	case strings.HasSuffix(agent, "-001"):
		return "0", 0.51
	case strings.HasSuffix(agent, "-002"):
		return "1", 0.91
	default:
		return "2", 0.01
	}
}

func counted() contract.CountResult {
	now := time.Now().UTC()
	return contract.CountResult{
		Stats: contract.Stats{Total: 6, Active: 1, Completed: 3, Failed: 1, Cancelled: 1, AverageMS: 2000},
		Jobs: []contract.ActiveJob{{
			WorkflowID: "deliberation-T-9", RunID: "run-9", TaskID: "T-9", Role: "DEV", Start: now.Add(-125 * time.Second),
		}},
		AsOf: now,
	}
}
