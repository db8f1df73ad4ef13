package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// await shows a run's progress until it ends, and then its outcome.
func (c *cli) await(ctx context.Context, e execution) error {
	t, err := c.follow(ctx, e)
	switch {
	case ctx.Err() != nil:
		return interrupted(e.id, "it goes on")
	case err != nil:
		return err
	}
	end, err := t.ending(e.id)
	if err != nil {
		return err
	}
	return c.printEnding(e, end)
}

// interrupted is the farewell after Ctrl-C. The id is quoted for the shell when it needs it.
func interrupted(id, what string) error {
	return &exit{
		code: exitInterrupted,
		err:  errors.New("no longer waiting for " + id + "; " + what),
		hint: fmt.Sprintf("look: starter status %[1]s\n  wait again: starter result --wait %[1]s\n  end it: starter cancel %[1]s", shellWord(id)),
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

func shellWord(id string) string {
	if plainWord.MatchString(id) {
		return id
	}
	return "'" + strings.ReplaceAll(printable(id), "'", `'\''`) + "'"
}
