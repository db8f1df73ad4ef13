package main

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// sinceFlag adds --since to a command.
func sinceFlag(cmd *cobra.Command, since *model.Duration, help string) {
	cmd.Flags().Var(since, "since", help+", for example 24h or 7d")
	if *since == 0 {
		cmd.Flags().Lookup("since").DefValue = "" // the help then shows no default instead of 0 s
	}
	complete(cmd, "since", "1h", "24h", "7d", "30d")
}

// startOf returns the time that --since names; zero if the flag wasn't given.
func startOf(cmd *cobra.Command, since model.Duration) (time.Time, error) {
	switch {
	case since != 0:
		return time.Now().Add(-time.Duration(since)).UTC(), nil
	case cmd.Flags().Changed("since"):
		return time.Time{}, misused(seeHelp(cmd), "--since %s, got %q", longTime, since)
	}
	return time.Time{}, nil
}
