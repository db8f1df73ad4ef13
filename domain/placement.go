package domain

import (
	"slices"
	"time"
)

// ClusterState is what a worker last learned about a Ray cluster.
type ClusterState struct {
	Name      string
	Up        bool      // it answers
	UpSince   time.Time // since when Up has its value
	Room      bool      // it takes turns: it is up, and not full
	RoomSince time.Time // since when Room has its value: a full cluster that becomes silent keeps its time
}

// Place chooses among clusters in their order of preference: the first that answers and has room, else
// the first that answers, else the first. It never chooses one that was left, and returns "" if there is
// no other. It may choose a cluster that doesn't answer: turns wait for it.
func Place(clusters []ClusterState, left ...string) string {
	best, rank := "", 0
	for _, cluster := range clusters {
		if suits := cluster.suits(left); suits > rank {
			best, rank = cluster.Name, suits
		}
	}
	return best
}

func (c ClusterState) suits(left []string) int {
	switch {
	case slices.Contains(left, c.Name):
		return 0
	case !c.Up:
		return 1
	case !c.Room:
		return 2
	}
	return 3
}

// DownTooLong reports whether a cluster hasn't answered for longer than the grace, while another one
// answers. If no other one does, it is best to wait.
func DownTooLong(clusters []ClusterState, name string, grace time.Duration, now time.Time) bool {
	return longerThan(grace, clusters, name, now, func(c ClusterState) (bool, time.Time) { return c.Up, c.UpSince })
}

// FullTooLong reports whether a cluster hasn't taken turns for longer than the grace, because it is away
// or full, while another one would take them.
func FullTooLong(clusters []ClusterState, name string, grace time.Duration, now time.Time) bool {
	return longerThan(grace, clusters, name, now, func(c ClusterState) (bool, time.Time) { return c.Room, c.RoomSince })
}

func longerThan(grace time.Duration, clusters []ClusterState, name string, now time.Time, state func(ClusterState) (does bool, since time.Time)) bool {
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
