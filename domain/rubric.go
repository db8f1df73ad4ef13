package domain

import (
	"maps"
	"regexp"
	"slices"
)

// Criterion is a criterion by which reviewers mark each proposal from 1 to 5.
type Criterion struct {
	Name   string
	Weight float64
}

const (
	lowestMark   = 1
	highestMark  = 5
	mostCriteria = 8

	// criterionAccuracy bounds the score of a proposal: style can't make up for errors.
	criterionAccuracy = "accuracy"
)

var criterionName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// rubricOf returns the criteria in alphabetical order, or the default ones.
func rubricOf(weights map[string]float64) []Criterion {
	if len(weights) == 0 {
		return []Criterion{{criterionAccuracy, 1}, {"completeness", 1}, {"clarity", 1}, {"feasibility", 1}}
	}
	criteria := make([]Criterion, 0, len(weights))
	//workflowcheck:ignore // sorted
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		criteria = append(criteria, Criterion{Name: name, Weight: weights[name]})
	}
	return criteria
}

func checkRubric(weights map[string]float64, faults *Faults) {
	const path = "protocol.rubric"
	if len(weights) > mostCriteria {
		faults.Add(path, "must have at most %d criteria, got %d", mostCriteria, len(weights))
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		switch weight := weights[name]; {
		case !criterionName.MatchString(name):
			faults.Add(path, "the criterion %s must be 1 to 40 of a-z, 0-9 and _, and begin with a letter", Quote(name))
		case name == "label" || name == "critique" || name == "blocking":
			faults.Add(path+"."+name, "is a name that reviews use themselves; choose another one")
		case !(weight > 0 && weight <= 1000):
			faults.Add(path+"."+name, "must be greater than 0 and at most 1000, got %g", weight)
		}
	}
}
