package domain

import "slices"

// ClusterState is what a worker last heard of a Ray cluster.
type ClusterState struct {
	Name string
	Up   bool // it answers
	Room bool // it takes turns
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

// Elsewhere tells that turns which wait for one cluster would find room on another.
func Elsewhere(clusters []ClusterState, waiting string) bool {
	return slices.ContainsFunc(clusters, func(c ClusterState) bool { return c.Name != waiting && c.Up && c.Room })
}
