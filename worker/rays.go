package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// rays configures the Ray clusters.
type rays struct {
	Clusters  clusters      `env:"DELIBERATION_RAY_CLUSTERS,required,notEmpty"`
	Token     string        `env:"DELIBERATION_RAY_TOKEN"`
	TokenFile string        `env:"DELIBERATION_RAY_TOKEN_FILE"`
	Grace     time.Duration `env:"DELIBERATION_RAY_GRACE" envDefault:"60s"`
}

// check also reads the token from its file.
func (r *rays) check(found *faults) {
	if r.Grace < 0 {
		found.add("DELIBERATION_RAY_GRACE", "cannot be negative, got %s", r.Grace)
	}
	if r.Token != "" && r.TokenFile != "" {
		found.add("DELIBERATION_RAY_TOKEN", "give it or DELIBERATION_RAY_TOKEN_FILE, not both")
		return
	}
	source := "DELIBERATION_RAY_TOKEN"
	if r.TokenFile != "" {
		source = "DELIBERATION_RAY_TOKEN_FILE"
		token, err := os.ReadFile(r.TokenFile)
		r.Token = strings.TrimSpace(string(token))
		switch {
		case err != nil:
			found.add(source, "%w", err)
		case r.Token == "": // it would mean to ask without a token
			found.add(source, "the file %s is empty", domain.Quote(r.TokenFile))
		}
	}
	for _, cluster := range r.Clusters {
		if _, err := ray.New(ray.Config{Name: cluster.name, URL: cluster.url}); err != nil {
			found.add("DELIBERATION_RAY_CLUSTERS", "%w", err)
		} else if _, err := ray.New(r.client(cluster)); err != nil {
			found.add(source, "%w", err)
		}
	}
}

func (r *rays) client(of cluster) ray.Config {
	return ray.Config{Name: of.name, URL: of.url, Token: r.Token}
}

// clusters is a list of name=url in order of preference.
type clusters []cluster

type cluster struct{ name, url string }

// UnmarshalText reads the list. Its errors don't quote URLs: they may hold a password.
func (c *clusters) UnmarshalText(text []byte) error {
	for item := range strings.SplitSeq(string(text), ",") {
		name, address, named := strings.Cut(strings.TrimSpace(item), "=")
		if !named || name == "" || strings.Contains(name, "/") { // a URL without a name may have = in its query
			return errors.New("want name=url, for example local=http://127.0.0.1:8000/deliberation")
		}
		if slices.ContainsFunc(*c, func(known cluster) bool { return known.name == name }) {
			return fmt.Errorf("cluster %s is named twice", domain.Quote(name))
		}
		*c = append(*c, cluster{name: name, url: strings.TrimSuffix(address, "/")})
	}
	return nil
}

func (c clusters) names() string {
	names := make([]string, 0, len(c))
	for _, each := range c {
		names = append(names, each.name)
	}
	return strings.Join(names, ", ")
}
