package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// period is a flag that takes a time with its unit; days and weeks too, which Go's durations lack.
type period struct{ time.Duration }

var longUnits = map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// Set reads the flag.
func (p *period) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	for unit, length := range longUnits {
		if number, is := strings.CutSuffix(text, unit); is {
			var count int
			count, err = strconv.Atoi(number)
			parsed = time.Duration(count) * length
			if count > int(longest/length) {
				err = strconv.ErrRange
			}
		}
	}
	if err != nil || parsed <= 0 || parsed > longest {
		return errors.New("must be a time with its unit, for example 90m, 24h or 7d")
	}
	p.Duration = parsed
	return nil
}

// longest is more than any namespace keeps.
const longest = 100 * 365 * 24 * time.Hour

// String is the flag's value as it is typed.
func (p *period) String() string {
	switch day := longUnits["d"]; {
	case p.Duration == 0:
		return ""
	case p.Duration%day == 0:
		return strconv.Itoa(int(p.Duration/day)) + "d"
	}
	return p.Duration.String()
}

// Type names the value in the help.
func (p *period) Type() string { return "time" }

// start is when the period that ends now began; zero when none was given.
func (p *period) start() time.Time {
	if p.Duration == 0 {
		return time.Time{}
	}
	return time.Now().Add(-p.Duration).UTC()
}
