package main

import (
	"crypto/rand"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fleet"
)

// environment is what the Opening of every deliberation records.
type environment struct {
	settings domain.Settings
	fleet    fleet.Fleet
	settling []string // search attributes that were just registered
	settled  time.Time
}

// Settings does no I/O, since workflow tasks call it.
func (e environment) Settings() domain.Settings {
	settings := e.settings
	settings.Clusters, settings.Fence = e.fleet.States(), rand.Text()
	if time.Now().After(e.settled) {
		settings.Attributes = append(slices.Clone(settings.Attributes), e.settling...)
	}
	return settings
}
