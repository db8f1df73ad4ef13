package main

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/doctor"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

// hostile clears the screen, sets the title, turns red by C1, deletes, and reverses the reading direction.
const hostile = "a\x1b[2J\x1b]0;title\x07 \u009b31m \x7f\u202e\u2066b\r"

// filled is a value whose texts are all hostile.
func filled[T any]() T {
	var value T
	fill(reflect.ValueOf(&value).Elem())
	return value
}

func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]() || !v.CanSet():
	case v.Kind() == reflect.String:
		v.SetString(hostile)
	case v.Kind() == reflect.Int || v.Kind() == reflect.Int64:
		v.SetInt(1)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	case v.Type() == reflect.TypeFor[map[string]string]():
		v.Set(reflect.ValueOf(map[string]string{"parse": hostile}))
	}
}

func TestNoOutputCanSteerTheTerminal(t *testing.T) {
	for name, print := range map[string]func(*cli){
		"status":      func(c *cli) { c.printStatus(filled[runs.View]()) },
		"result":      func(c *cli) { c.printResult(filled[contract.Result]()) },
		"failure":     func(c *cli) { c.printFailure(hostile, filled[runs.Ending]()) },
		"list":        func(c *cli) { c.printListing(filled[listing]()) },
		"jobs":        func(c *cli) { c.printJobs(filled[contract.ActiveJobs]()) },
		"watch":       func(c *cli) { require.NoError(t, c.showSnapshot(terminal.NewLive(c.stdout), filled[snapshot]())) },
		"interrupted": func(c *cli) { c.report(t.Context(), interrupted(hostile, "it goes on")) },
		"progress":    func(c *cli) { terminal.NewProgress(c.stdout).Show(filled[runs.View]()) },
		"stats":       func(c *cli) { c.printStats(filled[contract.Stats]()) },
		"usage":       func(c *cli) { c.printAccounts(filled[accounts]()) },
		"clusters":    func(c *cli) { c.printClusters(filled[[]workerAnswer]()) },
		"doctor":      func(c *cli) { c.printFinding(filled[doctor.Finding]()) },
		"cancel": func(c *cli) {
			require.NoError(t, c.showCancelled(runs.Run{ID: hostile}, filled[runs.Ending](), false))
		},
		"request": func(c *cli) { c.announce(filled[contract.Request]()) },
		"warning": func(c *cli) { c.warn("%s", hostile) },
		"error": func(c *cli) {
			c.report(t.Context(), &exit{code: exitFailed, err: errors.New(hostile), hint: hostile})
		},
		"json": func(c *cli) { require.NoError(t, c.printJSON(filled[contract.Result]())) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			print(&cli{stdout: &out, stderr: &out})
			require.NotEmpty(t, out.String())
			require.Equal(t, untrusted.Printable(out.String()), out.String())
		})
	}
}
