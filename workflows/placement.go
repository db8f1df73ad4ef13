package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
)

// placement says on which cluster the council lives. All its turns live on one cluster. A cluster that the council
// has left stays left for this run, so it moves at most once to each other cluster.
type placement struct {
	environment domain.Environment // read only inside a SideEffect, which records what it returned
	choices     []string           // all clusters at the run's start; none if there was only one
	graceSecs   int
	current     string
	left        []string
	abandoned   []placed // turns on clusters that were left; they may still run
	stopping    []string // clusters on which abandoned turns are being stopped
}

func newPlacement(environment domain.Environment, opening Opening) *placement {
	return &placement{
		environment: environment, choices: opening.Clusters, graceSecs: opening.GraceSeconds, current: opening.Cluster,
	}
}

// movable reports whether there is a cluster that the council hasn't left.
func (p *placement) movable() bool { return len(p.left)+1 < len(p.choices) }

// grace returns for how many seconds the current cluster may be away before the council leaves it. 0 means that the
// council stays.
func (p *placement) grace() int {
	if !p.movable() {
		return 0
	}
	return p.graceSecs
}

// leave moves the council away from a cluster. The first agent that finds the cluster gone moves all agents.
func (p *placement) leave(ctx workflow.Context, cluster string) {
	if cluster != p.current || !p.movable() {
		return
	}
	left := append(slices.Clone(p.left), cluster)
	encoded := workflow.SideEffect(ctx, func(workflow.Context) any { return choose(p.environment, left) })
	var chosen string
	if err := encoded.Get(&chosen); err != nil || chosen == "" || slices.Contains(left, chosen) {
		p.choices = nil // this worker knows no other cluster: the council stays
		return
	}
	p.left, p.current = left, chosen
}

// choose chooses among the clusters that the worker knows, from memory. If that panics, it returns "", and the
// council stays.
func choose(environment domain.Environment, left []string) (chosen string) {
	defer func() {
		if recover() != nil {
			chosen = ""
		}
	}()
	return domain.Place(environment.Settings().Clusters, left...)
}

// abandon marks a pursuit's turns on clusters that the council has left as to be stopped. Call it only after the
// next attempt was accepted. Until then an answer from the old cluster still counts.
func (p *placement) abandon(of *pursuit) {
	elsewhere := func(placed placed) bool { return placed.handle.Cluster != of.handle.Cluster }
	for _, turn := range of.unconfirmed {
		if elsewhere(turn) {
			p.abandoned = append(p.abandoned, turn)
		}
	}
	of.unconfirmed = slices.DeleteFunc(of.unconfirmed, elsewhere)
}

// on returns the abandoned turns on a cluster.
func (p *placement) on(cluster string) []placed {
	return slices.DeleteFunc(slices.Clone(p.abandoned), func(turn placed) bool { return turn.handle.Cluster != cluster })
}

// unattended returns a cluster on which nobody stops the abandoned turns yet; "" if there is none.
func (p *placement) unattended() string {
	for _, turn := range p.abandoned {
		if !slices.Contains(p.stopping, turn.handle.Cluster) {
			return turn.handle.Cluster
		}
	}
	return ""
}

// isAbandoned reports whether an abandoned turn may still run.
func (p *placement) isAbandoned(id domain.TurnID) bool {
	return slices.ContainsFunc(p.abandoned, func(turn placed) bool { return turn.turn.ID() == id })
}

// forgetTurn removes an abandoned turn that was seen to end.
func (p *placement) forgetTurn(id domain.TurnID) {
	p.abandoned = slices.DeleteFunc(p.abandoned, func(turn placed) bool { return turn.turn.ID() == id })
}

// forgetCluster removes a cluster and its abandoned turns, which have ended by their run_seconds.
func (p *placement) forgetCluster(cluster string) {
	p.stopping = slices.DeleteFunc(p.stopping, func(other string) bool { return other == cluster })
	p.abandoned = slices.DeleteFunc(p.abandoned, func(turn placed) bool { return turn.handle.Cluster == cluster })
}
