//go:build integration

package e2e

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

	"deliberation.io/deliberation/workflows/contract"
)

var (
	soakFor  = flag.Duration("soak", 0, "of TestSoak: how long it lasts; 0 skips it")
	soakMany = flag.Int("many", 200, "of TestSoak: deliberations in flight")
)

const (
	runnerDies = "runner killed"
	// betweenDeaths lets the turns that one death took be answered before the next one: a runner that dies
	// faster than its turns take loses them three times, and then for good, as it must.
	betweenDeaths = 90 * time.Second
)

// soak keeps deliberations in flight while faults come by chance.
type soak struct {
	*field
	faults *rand.Rand
	proxy  *toxiproxy.Proxy
	victim *worker // the other worker lives through it all
	counts map[string]int
	at     time.Duration // of the faults so far, as they are planned
	died   time.Duration // when the first runner did, of that

	mu sync.Mutex // of the field's trials and chance
}

func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("it takes its time: make soak")
	}
	seed := seedOf(t)
	r := row{name: "soak", allows: allowance{unheard: true, recovery: 3 * time.Minute, left: 30 * time.Second}}
	s := &soak{field: newField(t, r, seed), faults: chance(seed, "faults"), counts: map[string]int{}}
	s.script(s.slow, s.answeringOften(5000, 20*time.Second, time.Minute)...)
	s.script(s.quick, s.answeringOften(5000, time.Second, 20*time.Second)...)
	s.release()
	var address string
	s.proxy, address = proxyToRay(t)
	behind := "DELIBERATION_RAY_CLUSTERS=local=" + address
	steady := s.worker(behind)
	s.victim = s.worker(behind)

	memory := watchMemory(t, steady)
	s.run(behind)
	memory.stop()
	s.over()
	s.settle()
	found := s.count()

	results := &table{seed: seed, began: time.Now()}
	results.add(t, r, s.allowed(), found)
	fmt.Printf("\nfaults: %v\n\n%s%s\n%s\n", s.counts, tableHead, results.lines[r.name], memory)
	for _, broken := range append(found.breaks(s.allowed()), memory.grown()...) {
		t.Error(broken)
	}
}

// run keeps the deliberations in flight and the faults coming until the time is over.
func (s *soak) run(behind string) {
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
		s.fault(behind)
	}
	all.Wait()
}

// another deliberation, from its start to its end.
func (s *soak) another() {
	s.mu.Lock()
	tr := s.planOne(endsCompleted)
	s.mu.Unlock()
	run, err := temporalClient.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: tr.request.TaskID, TaskQueue: s.queue,
	}, contract.DeliberationName, tr.request)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.accept(tr, run)
	s.trials = append(s.trials, tr)
	s.mu.Unlock()
	_ = run.Get(s.t.Context(), nil) // how it ended is read when all have
}

// fault makes something die or go away, for a while.
func (s *soak) fault(behind string) {
	away := time.Duration(1+s.faults.IntN(20)) * time.Second
	kinds := []struct {
		name string
		do   func()
	}{
		{"worker killed", func() {
			s.victim.kill(s.t)
			s.victim = s.worker(behind)
		}},
		{"worker told to stop", func() {
			require.NoError(s.t, s.victim.cmd.Process.Signal(syscall.SIGTERM))
			_ = s.victim.cmd.Wait()
			s.victim = s.worker(behind)
		}},
		{runnerDies, s.killFirstRunner},
		{"Ray cut off", func() {
			s.proxy.Stop()
			time.Sleep(away)
			require.NoError(s.t, s.proxy.Start())
		}},
		{"NATS stopped", func() {
			control(s.t, "stop", "nats")
			time.Sleep(away)
			control(s.t, "start", "nats")
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

// killFirstRunner: the others live through it all, so that their memory can be watched.
func (s *soak) killFirstRunner() {
	victim := runners(s.t)[0]
	if victim.PID == 0 {
		return // it is being restarted
	}
	s.mu.Lock()
	s.lose(stack.RayAppURL, victim.Name)
	s.mu.Unlock()
	require.NoError(s.t, syscall.Kill(victim.PID, syscall.SIGKILL))
}
