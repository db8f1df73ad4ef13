package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/searchattributes"
)

func (c *cli) setupCommand() *cobra.Command {
	only := false
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Register the search attributes that lists are filtered by",
		Long: `Register the search attributes that lists are filtered by, in the namespace.

Deliberations run without them; starter list can't filter by role, task, story and plan then. Workers
register them as well when they start and may. A worker that started without them uses them from its
next start on. --print shows the command for somebody who may, and asks Temporal nothing.`,
		Example: `  starter setup
  starter setup --print
  starter setup --namespace team-a`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if only {
				return c.printSetup()
			}
			return c.setup(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&only, "print", false, "print the temporal command that does it, and do nothing")
	return cmd
}

// settled is the answer of setup.
type settled struct {
	Namespace  string   `json:"namespace"`
	Present    []string `json:"present"`
	Registered []string `json:"registered"`
	Command    string   `json:"command,omitempty"`
}

func (c *cli) printSetup() error {
	if _, err := c.configure(); err != nil {
		return err
	}
	command := searchattributes.CreateCommand(c.server.namespace)
	if c.json {
		return c.printJSON(settled{Namespace: c.server.namespace, Present: []string{}, Registered: []string{}, Command: command})
	}
	_, err := fmt.Fprintln(c.stdout, command)
	return err
}

func (c *cli) setup(ctx context.Context) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	survey, err := searchattributes.SurveyNamespace(ctx, s.Client, s.namespace)
	var registered []string
	switch {
	case err != nil && silent(err):
		return err
	case err != nil:
		return s.denied("read", err)
	case len(survey.Missing) > 0:
		if registered, err = survey.RegisterMissing(ctx, s.Client, s.namespace); err != nil {
			return s.denied(map[bool]string{true: "register", false: "register all"}[len(registered) == 0], err)
		}
	}
	if len(survey.Mistyped) > 0 {
		return mistyped(survey)
	}
	if c.json {
		return c.printJSON(settled{
			Namespace: s.namespace, Present: append([]string{}, survey.Present...), Registered: append([]string{}, survey.Missing...),
		})
	}
	if len(survey.Missing) == 0 {
		_, err = fmt.Fprintf(c.stdout, "namespace %q has all search attributes\n", s.namespace)
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "registered in namespace %q: %s\nrestart the workers in a minute: they look for them when they start\n",
		s.namespace, strings.Join(survey.Missing, ", "))
	return err
}

// denied is the exit of those who may not.
func (s server) denied(what string, err error) error {
	//nolint:errorlint // wrapped, it would be explained as a refusal of the whole connection
	refused := fmt.Errorf("can't %s the search attributes of namespace %q: %s", what, s.namespace, err)
	return &exit{
		code: exitFailed, err: refused,
		hint: "somebody who may: " + searchattributes.CreateCommand(s.namespace),
	}
}

func mistyped(survey searchattributes.Survey) error {
	var lines []string
	for _, other := range survey.Mistyped {
		lines = append(lines, fmt.Sprintf("%s is %s here, and must be %s", other.Name, other.Type, other.Wanted))
	}
	return &exit{
		code: exitFailed, err: errors.New("search attributes mean something else in this namespace:\n  " + strings.Join(lines, "\n  ")),
		hint: "deliberations run without them; another namespace has room for them",
	}
}
