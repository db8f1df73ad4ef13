package domain

import (
	"slices"
	"time"
)

// ClusterState is what a worker last heard of a Ray cluster.
type ClusterState struct {
	Name      string
	Up        bool      // it answers
	UpSince   time.Time // since when that is so, or isn't
	Room      bool      // it takes turns: it is up, and not full
	RoomSince time.Time // since when that is so, or isn't: a full one may fall silent meanwhile
}

// Place chooses among clusters in their order of preference: the first that answers and has room, else
// the first that answers, else the first. Those that are gone come last. It is empty only when there is
// no cluster at all: that none answers is no reason to fail, for turns wait.
func Place(clusters []ClusterState, gone ...string) string {
	best, rank := "", 0
	for _, cluster := range clusters {
		if suits := cluster.suits(gone); suits > rank {
			best, rank = cluster.Name, suits
		}
	}
	return best
}

func (c ClusterState) suits(gone []string) int {
	switch {
	case slices.Contains(gone, c.Name):
		return 1
	case !c.Up:
		return 2
	case !c.Room:
		return 3
	}
	return 4
}

// Gone tells that a cluster hasn't answered for longer than the grace while another one does. Without
// another one, waiting on is all that can be done.
func Gone(clusters []ClusterState, name string, grace time.Duration, now time.Time) bool {
	return left(clusters, name, grace, now, func(c ClusterState) (bool, time.Time) { return c.Up, c.UpSince })
}

// Shut tells that a cluster hasn't taken turns for longer than the grace, because it is away or full, while
// another one would.
func Shut(clusters []ClusterState, name string, grace time.Duration, now time.Time) bool {
	return left(clusters, name, grace, now, func(c ClusterState) (bool, time.Time) { return c.Room, c.RoomSince })
}

func left(clusters []ClusterState, name string, grace time.Duration, now time.Time, state func(ClusterState) (does bool, since time.Time)) bool {
	longer, others := false, false
	for _, cluster := range clusters {
		does, since := state(cluster)
		if cluster.Name == name {
			longer = !does && now.Sub(since) > grace
		} else {
			others = others || does
		}
	}
	return grace > 0 && longer && others
}
