package domain_test

import (
	"testing"

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
		"the first of those that do":           {[]domain.ClusterState{up("a"), up("b")}, nil, "a"},
		"one that is down is passed over":      {[]domain.ClusterState{down("a"), up("b"), up("c")}, nil, "b"},
		"one that is full is passed over":      {[]domain.ClusterState{full("a"), up("b")}, nil, "b"},
		"a full one is better than none":       {[]domain.ClusterState{down("a"), full("b")}, nil, "b"},
		"none answers: the first waits":        {[]domain.ClusterState{down("a"), down("b")}, nil, "a"},
		"the only one, whatever it does":       {[]domain.ClusterState{down("a")}, nil, "a"},
		"one that is gone comes last":          {[]domain.ClusterState{up("a"), down("b")}, []string{"a"}, "b"},
		"one that is gone is better than none": {[]domain.ClusterState{up("a")}, []string{"a"}, "a"},
		"a cluster that was taken away":        {[]domain.ClusterState{up("b")}, []string{"a"}, "b"},
		"there is none":                        {nil, nil, ""},
		"of two that are gone, the first":      {[]domain.ClusterState{up("a"), up("b")}, []string{"b", "a"}, "a"},
		"the first of several full ones":       {[]domain.ClusterState{full("a"), full("b")}, nil, "a"},
		"a full one is better than a gone one": {[]domain.ClusterState{up("a"), full("b")}, []string{"a"}, "b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, domain.Place(test.clusters, test.gone...)) })
	}
}

func TestElsewhere(t *testing.T) {
	clusters := []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true}, {Name: "c", Room: true}}
	require.True(t, domain.Elsewhere(clusters, "b"))
	require.False(t, domain.Elsewhere(clusters, "a"), "neither a full cluster nor one that is down")
	require.False(t, domain.Elsewhere(nil, "a"))
}
