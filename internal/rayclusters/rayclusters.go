// Package rayclusters reads the variables that say where the Ray apps are. The worker and the doctor share it.
package rayclusters

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"deliberation.io/deliberation/domain"
)

// Names of the variables, for messages.
const (
	Variable          = "DELIBERATION_RAY_CLUSTERS"
	TokenVariable     = "DELIBERATION_RAY_TOKEN"
	TokenFileVariable = "DELIBERATION_RAY_TOKEN_FILE"
)

// Cluster is one Ray cluster, and the URL of its app.
type Cluster struct{ Name, URL string }

// List has Ray clusters in order of preference.
type List []Cluster

// Parse reads name=url. Its error doesn't quote the URL, which may hold a password.
func Parse(item string) (Cluster, error) {
	name, address, named := strings.Cut(strings.TrimSpace(item), "=")
	if !named || name == "" || strings.Contains(name, "/") { // a URL without a name may have = in its query
		return Cluster{}, errors.New("want name=url, for example local=http://127.0.0.1:8000/deliberation")
	}
	return Cluster{Name: name, URL: strings.TrimSuffix(address, "/")}, nil
}

// UnmarshalText reads name=url,….
func (l *List) UnmarshalText(text []byte) error {
	for item := range strings.SplitSeq(string(text), ",") {
		cluster, err := Parse(item)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(*l, func(known Cluster) bool { return known.Name == cluster.Name }) {
			return fmt.Errorf("cluster %s is named twice", domain.Quote(cluster.Name))
		}
		*l = append(*l, cluster)
	}
	return nil
}

func (l List) Names() string {
	return strings.Join(domain.Each(l, func(of Cluster) string { return of.Name }), ", ")
}

// ReadToken reads the token for all apps from a file. An empty file is an error: otherwise the apps would be asked
// without a token.
func ReadToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("the file %s is empty", domain.Quote(file))
	}
	return token, nil
}
