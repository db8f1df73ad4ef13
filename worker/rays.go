package main

import (
	"time"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/internal/rayclusters"
)

// rays is the configuration of the Ray clusters.
type rays struct {
	Clusters  rayclusters.List `env:"DELIBERATION_RAY_CLUSTERS,required,notEmpty"`
	Token     string           `env:"DELIBERATION_RAY_TOKEN"`
	TokenFile string           `env:"DELIBERATION_RAY_TOKEN_FILE"`
	Grace     time.Duration    `env:"DELIBERATION_RAY_GRACE" envDefault:"60s"`
}

// check also reads the token from its file.
func (r *rays) check(found *faults) {
	if r.Grace < 0 {
		found.add("DELIBERATION_RAY_GRACE", "cannot be negative, got %s", r.Grace)
	}
	if r.Token != "" && r.TokenFile != "" {
		found.add(rayclusters.TokenVariable, "give it or DELIBERATION_RAY_TOKEN_FILE, not both")
		return
	}
	source := rayclusters.TokenVariable
	if r.TokenFile != "" {
		source = rayclusters.TokenFileVariable
		token, err := rayclusters.ReadToken(r.TokenFile)
		if err != nil {
			found.add(source, "%w", err)
		}
		r.Token = token
	}
	for _, cluster := range r.Clusters {
		if _, err := ray.New(ray.Config{Name: cluster.Name, URL: cluster.URL}); err != nil {
			found.add(rayclusters.Variable, "%w", err)
		} else if _, err := ray.New(r.client(cluster)); err != nil {
			found.add(source, "%w", err)
		}
	}
}

func (r *rays) client(of rayclusters.Cluster) ray.Config {
	return ray.Config{Name: of.Name, URL: of.URL, Token: r.Token}
}
