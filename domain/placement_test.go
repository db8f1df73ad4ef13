package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestPlace(t *testing.T) {
	up := func(name string) domain.ClusterState { return domain.ClusterState{Name: name, Up: true, Room: true} }
	full := func(name string) domain.ClusterState { return domain.ClusterState{Name: name, Up: true} }
	down := func(name string) domain.ClusterState { return domain.ClusterState{Name: name} }
	tests := map[string]struct {
		clusters []domain.ClusterState
		gone     []string
		want     string
	}{
		"the first of those that do":                    {[]domain.ClusterState{up("a"), up("b")}, nil, "a"},
		"one that is down is passed over":               {[]domain.ClusterState{down("a"), up("b"), up("c")}, nil, "b"},
		"one that is full is passed over":               {[]domain.ClusterState{full("a"), up("b")}, nil, "b"},
		"a full one is better than none":                {[]domain.ClusterState{down("a"), full("b")}, nil, "b"},
		"none answers: the first waits":                 {[]domain.ClusterState{down("a"), down("b")}, nil, "a"},
		"the only one, whatever it does":                {[]domain.ClusterState{down("a")}, nil, "a"},
		"one that was left is passed over":              {[]domain.ClusterState{up("a"), down("b")}, []string{"a"}, "b"},
		"one that was left is never chosen":             {[]domain.ClusterState{up("a")}, []string{"a"}, ""},
		"a cluster that was taken away":                 {[]domain.ClusterState{up("b")}, []string{"a"}, "b"},
		"there is none":                                 {nil, nil, ""},
		"none is left to choose":                        {[]domain.ClusterState{up("a"), up("b")}, []string{"b", "a"}, ""},
		"the first of several full ones":                {[]domain.ClusterState{full("a"), full("b")}, nil, "a"},
		"a full one is chosen before one that was left": {[]domain.ClusterState{up("a"), full("b")}, []string{"a"}, "b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, domain.Place(test.clusters, test.gone...)) })
	}
}

func TestDownTooLongAndFullTooLong(t *testing.T) {
	const grace = time.Minute
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	state := func(name string, up, room bool, ago time.Duration) domain.ClusterState {
		return domain.ClusterState{Name: name, Up: up, UpSince: now.Add(-ago), Room: room, RoomSince: now.Add(-ago)}
	}
	flapping := domain.ClusterState{Name: "a", UpSince: now.Add(-time.Second), RoomSince: now.Add(-time.Hour)}
	well, full, down := state("b", true, true, time.Hour), state("b", true, false, time.Hour), state("b", false, false, time.Hour)
	for name, test := range map[string]struct {
		clusters   []domain.ClusterState
		grace      time.Duration
		gone, shut bool
	}{
		"away for longer than the grace":   {[]domain.ClusterState{state("a", false, false, 61*time.Second), well}, grace, true, true},
		"away within it":                   {[]domain.ClusterState{state("a", false, false, 59*time.Second), well}, grace, false, false},
		"full for longer":                  {[]domain.ClusterState{state("a", true, false, 61*time.Second), well}, grace, false, true},
		"full within it":                   {[]domain.ClusterState{state("a", true, false, 59*time.Second), well}, grace, false, false},
		"well":                             {[]domain.ClusterState{state("a", true, true, time.Hour), well}, grace, false, false},
		"away, and the other is full":      {[]domain.ClusterState{state("a", false, false, time.Hour), full}, grace, true, false},
		"away, and the other too":          {[]domain.ClusterState{state("a", false, false, time.Hour), down}, grace, false, false},
		"away, and there is no other":      {[]domain.ClusterState{state("a", false, false, time.Hour)}, grace, false, false},
		"unknown here: others may know it": {[]domain.ClusterState{well}, grace, false, false},
		"full for long, and silent now":    {[]domain.ClusterState{flapping, well}, grace, false, true},
		"never left":                       {[]domain.ClusterState{state("a", false, false, time.Hour), well}, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.gone, domain.DownTooLong(test.clusters, "a", test.grace, now))
			require.Equal(t, test.shut, domain.FullTooLong(test.clusters, "a", test.grace, now))
		})
	}
}
