//go:build integration

package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

var (
	soakFor  = flag.Duration("soak", 0, "of TestSoak: how long it lasts; 0 skips it")
	soakMany = flag.Int("many", 200, "of TestSoak: deliberations in flight")
)

const (
	runnerDies = "runner killed"
	// betweenDeaths is long enough for the turns of a dead runner to be asked again and answered. A runner that
	// dies more often than that loses a turn three times, and then the agent fails, as it must.
	betweenDeaths = 90 * time.Second
)

var soakOver = wait{3 * time.Minute, "answers that take up to a minute, asked again after the last fault"}

// soak keeps deliberations in flight while faults come by chance.
type soak struct {
	*lab
	faults *rand.Rand
	proxy  *toxiproxy.Proxy
	victim *stack.Worker // the other worker lives through everything
	counts map[string]int
	at     time.Duration // the planned time of the latest fault
	died   time.Duration // the planned time at which the first runner died last

	mu sync.Mutex // guards the lab's subjects and chance
}

func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("it takes its time: make soak")
	}
	seed := seedOf(t)
	e := experiment{name: "soak", allows: allowance{answersDie: true, recovery: []wait{soakOver}, left: 30 * time.Second}}
	s := &soak{lab: newLab(t, e, seed), faults: chanceOf(seed, "faults"), counts: map[string]int{}}
	s.script(s.slowModel, s.manyAnswers(5000, 20*time.Second, time.Minute)...)
	s.script(s.quickModel, s.manyAnswers(5000, time.Second, 20*time.Second)...)
	s.releaseModels()
	var address string
	s.proxy, address = stack.ProxyToRay(t)
	atProxy := "DELIBERATION_RAY_CLUSTERS=local=" + address
	steady := s.worker(atProxy)
	s.victim = s.worker(atProxy)

	memory := watchMemory(t, steady)
	s.keepBusy(atProxy)
	memory.stop()
	s.endFault()
	s.awaitEnds()
	found := s.count()

	results := &table{seed: seed, began: time.Now()}
	results.add(t, e.name, s.limits(), found)
	fmt.Printf("\nfaults: %v\n\n%s%s\n%s\n", s.counts, tableHead, results.lines[e.name], memory)
	for _, violation := range append(found.violations(s.limits()), memory.grown()...) {
		t.Error(violation)
	}
}

// keepBusy keeps deliberations in flight and lets faults come until the time is over.
func (s *soak) keepBusy(atProxy string) {
	until := time.Now().Add(*soakFor)
	var all sync.WaitGroup
	for range *soakMany {
		all.Go(func() {
			for time.Now().Before(until) {
				s.another()
			}
		})
	}
	for time.Now().Before(until) {
		wait := time.Duration(10+s.faults.IntN(20)) * time.Second
		s.at += wait
		time.Sleep(wait)
		s.fault(atProxy)
	}
	all.Wait()
}

// another runs one more deliberation, from its start to its end.
func (s *soak) another() {
	s.mu.Lock()
	next := s.planOne(endsCompleted)
	s.mu.Unlock()
	run, err := stack.Temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: next.request.TaskID, TaskQueue: s.queue,
	}, contract.DeliberationName, next.request)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.started(next, run)
	s.subjects = append(s.subjects, next)
	s.mu.Unlock()
	_ = run.Get(s.t.Context(), nil) // how it ended is read after all have ended
}

// fault makes something die, or stay away for a while.
func (s *soak) fault(atProxy string) {
	away := time.Duration(1+s.faults.IntN(20)) * time.Second
	kinds := []struct {
		name string
		do   func()
	}{
		{"worker killed", func() {
			s.victim.Kill(s.t)
			s.victim = s.worker(atProxy)
		}},
		{"worker told to stop", func() {
			s.victim.Terminate(s.t)
			_ = s.victim.Wait()
			s.victim = s.worker(atProxy)
		}},
		{runnerDies, s.killFirstRunner},
		{"Ray cut off", func() {
			s.proxy.Stop()
			time.Sleep(away)
			require.NoError(s.t, s.proxy.Start())
		}},
		{"NATS stopped", func() {
			stack.Stop(s.t, "nats")
			time.Sleep(away)
			stack.Start(s.t, "nats")
		}},
	}
	chosen := kinds[s.faults.IntN(len(kinds))]
	for chosen.name == runnerDies && s.at-s.died < betweenDeaths {
		chosen = kinds[s.faults.IntN(len(kinds))]
	}
	if chosen.name == runnerDies {
		s.died = s.at
	}
	s.counts[chosen.name]++
	chosen.do()
}

// killFirstRunner kills always the same one: the memory of the others is watched.
func (s *soak) killFirstRunner() {
	victim := stack.Runners(s.t)[0]
	if victim.PID == 0 {
		return // it is being restarted
	}
	s.mu.Lock()
	s.doom(stack.At.RayAppURL, victim.Name)
	s.mu.Unlock()
	require.NoError(s.t, syscall.Kill(victim.PID, syscall.SIGKILL))
}
