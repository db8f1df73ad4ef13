package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"deliberation.io/deliberation/domain"
)

// clusters is name=url,… in order of preference.
type clusters []cluster

type cluster struct{ name, url string }

// UnmarshalText reads the list. URLs aren't quoted in its errors: they may hold a password.
func (c *clusters) UnmarshalText(text []byte) error {
	for item := range strings.SplitSeq(string(text), ",") {
		name, address, named := strings.Cut(strings.TrimSpace(item), "=")
		if !named || name == "" || strings.Contains(name, "/") { // a URL without a name, with a query
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
