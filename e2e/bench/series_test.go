//go:build integration

package bench

import (
	"fmt"
	"slices"
	"time"
)

// series is one figure, measured several times.
type series []float64

func (s series) sorted() series { return slices.Sorted(slices.Values(s)) }

// at returns the value that a share of the values stays within.
func (s series) at(share float64) float64 {
	if len(s) == 0 {
		return 0
	}
	return s.sorted()[min(len(s)-1, int(share*float64(len(s))))]
}

func (s series) median() float64 { return s.at(0.5) }

func (s series) ends() (least, most float64) {
	if len(s) == 0 {
		return 0, 0
	}
	return slices.Min(s), slices.Max(s)
}

// String shows the median and the spread.
func (s series) String() string {
	switch least, most := s.ends(); len(s) {
	case 0:
		return "–"
	case 1:
		return short(least)
	default:
		return fmt.Sprintf("%s (%s–%s)", short(s.median()), short(least), short(most))
	}
}

func short(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}

func milliseconds(took time.Duration) float64 { return float64(took) / float64(time.Millisecond) }

// ratios divides the values of one series by those of another, in their order: both were measured in turns.
func ratios(of, by series) series {
	divided := make(series, 0, len(of))
	for n := range min(len(of), len(by)) {
		if by[n] > 0 {
			divided = append(divided, of[n]/by[n])
		}
	}
	return divided
}
