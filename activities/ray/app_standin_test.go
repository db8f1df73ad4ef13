package ray_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/activities/ray/raytest"
	"deliberation.io/deliberation/domain"
)

func TestContractOfTheStandIn(t *testing.T) { runContract(t, openStandIn) }

func TestFaultsBeforeTheStandIn(t *testing.T) { runFaults(t, openStandIn) }

type standIn struct{ app *raytest.App }

func openStandIn(t *testing.T) rayApp {
	t.Helper()
	return standIn{raytest.NewApp(t)}
}

func (s standIn) config() ray.Config {
	return ray.Config{Name: "local", URL: s.app.URL, Token: s.app.Token}
}

func (s standIn) modelURL() string { return "http://model:8000" }

func (s standIn) script(_ *testing.T, model string, replies ...reply) {
	answers := make([]raytest.Answer, 0, len(replies))
	for _, reply := range replies {
		answers = append(answers, answerOf(reply))
	}
	s.app.Answer(model, answers...)
}

func answerOf(reply reply) raytest.Answer {
	switch {
	case reply.putsOff:
		return raytest.PutOff()
	case reply.hangs:
		return raytest.Hanging()
	case reply.failure != "":
		return raytest.Failure(reply.failure, "as scripted")
	}
	return raytest.Answer{Text: reply.text}
}

func (s standIn) hold(_ *testing.T, model string, then reply) func() {
	gate := make(chan struct{})
	s.app.Answer(model, raytest.Held(gate, answerOf(then)))
	return sync.OnceFunc(func() { close(gate) })
}

func (s standIn) calls(_ require.TestingT, id domain.TurnID) int { return s.app.ModelCalls(id) }

func (s standIn) listen(_ *testing.T, config *ray.Config, _ string, heard *ear) {
	config.Heard = heard.hear
}

func (s standIn) fill(*testing.T, council) { s.app.Full(true) }

func (s standIn) restart(*testing.T, domain.Handle) { s.app.KillRunner() }
