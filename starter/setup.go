package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/searchattributes"
)

func (c *cli) setupCommand() *cobra.Command {
	only := false
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Register the search attributes that lists are filtered by",
		Long: `Register the search attributes that lists are filtered by, in the namespace.

Deliberations run without them, but starter list can't filter by role, task, story and plan. Workers also
register them when they start, if they may. A worker that started without them uses them after its next
start. --print shows the command for somebody who may register them, and asks Temporal nothing.`,
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

// setupAnswer is the answer of setup.
type setupAnswer struct {
	Namespace  string   `json:"namespace"`
	Present    []string `json:"present"`
	Registered []string `json:"registered"`
	Command    string   `json:"command,omitempty"`
}

func (c *cli) printSetup() error {
	if _, err := c.configure(); err != nil {
		return err
	}
	namespace := c.server.Namespace
	command := searchattributes.CreateCommand(namespace)
	answer := setupAnswer{Namespace: namespace, Present: []string{}, Registered: []string{}, Command: command}
	return c.show(answer, func() { c.printf("%s\n", command) })
}

func (c *cli) setup(ctx context.Context) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	survey, err := searchattributes.SurveyNamespace(ctx, s.Client, s.Namespace)
	switch {
	case err != nil && runs.MayAnswerLater(err):
		return err
	case err != nil:
		return s.denied("read", err)
	case len(survey.Missing) > 0:
		registered, err := survey.RegisterMissing(ctx, s.Client, s.Namespace)
		switch {
		case err != nil && len(registered) > 0:
			return s.denied("register all", err)
		case err != nil:
			return s.denied("register", err)
		}
	}
	if len(survey.Mistyped) > 0 {
		return mistyped(survey)
	}
	answer := setupAnswer{
		Namespace: s.Namespace, Present: append([]string{}, survey.Present...), Registered: append([]string{}, survey.Missing...),
	}
	return c.show(answer, func() {
		if len(survey.Missing) == 0 {
			c.printf("namespace %q has all search attributes\n", s.Namespace)
			return
		}
		c.printf("registered in namespace %q: %s\nrestart the workers in a minute: they look for them when they start\n",
			s.Namespace, strings.Join(survey.Missing, ", "))
	})
}

// denied returns the exit for a user without the permission.
func (s server) denied(what string, err error) error {
	//nolint:errorlint // if it were wrapped, report would explain it as a refusal of the whole connection
	refused := fmt.Errorf("can't %s the search attributes of namespace %q: %s", what, s.Namespace, err)
	return &exit{
		code: exitFailed, err: refused,
		hint: "somebody who may: " + searchattributes.CreateCommand(s.Namespace),
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
