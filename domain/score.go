package domain

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Values of `metadata.parse` for a score that isn't a number from 0 to 1.
const (
	ParseScoreText     = "score_text"     // "0.8", "0.8 (high)"
	ParseScorePercent  = "score_percent"  // 85%
	ParseScoreFraction = "score_fraction" // 8/10
	ParseScoreComma    = "score_comma"    // 0,8
	ParseScoreInvalid  = "score_invalid"  // none, out of range, or ambiguous
)

const (
	scoreNumber = `([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)`
	scoreBefore = `^(?:[\pL*_"' -]{1,60}[:=(]\s*)?[~≈*_<$` + "`" + `]*\s*`          // a name, such as "Score:" or "high (", and Markdown
	scoreWords  = `(?:\s*[(\[:;,.!–—)>*_$` + "`" + `-][^\d]*|\s+[^\d\s%/][^\d]*)?$` // words without another number
)

// scoreForms are the notations of a score.
var scoreForms = []struct {
	pattern *regexp.Regexp
	parse   string
	value   func(numbers []string) float64
}{
	{scoreForm(scoreNumber + `\s*(?:%|per\s?cent)`), ParseScorePercent, percent},
	{scoreForm(scoreNumber + `\s*(?:/|out\s+of|of|von|sur|de|su)\s*` + scoreNumber), ParseScoreFraction, fraction},
	{scoreForm(`([01]),(\d+)`), ParseScoreComma, decimalComma},
	{scoreForm(scoreNumber), ParseScoreText, func(numbers []string) float64 { return float(numbers[0]) }},
}

func scoreForm(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)` + scoreBefore + pattern + scoreWords)
}

// readScore returns a score and how it was read; the latter is empty for a number from 0 to 1. A score is
// never clamped or guessed: if it is out of range or ambiguous, it is 0.
func readScore(value Value) (score float64, parse string) {
	switch value.Kind {
	case ValueNumber:
		if score = float(value.Text); validScore(score) {
			return score, ""
		}
	case ValueText:
		for _, form := range scoreForms {
			numbers := form.pattern.FindStringSubmatch(strings.TrimSpace(strings.Map(narrow, value.Text)))
			if numbers == nil {
				continue
			}
			if score = form.value(numbers[1:]); validScore(score) {
				return score, form.parse
			}
			break
		}
	case ValueOther, ValueList, ValueObject:
	}
	return 0, ParseScoreInvalid
}

// narrow returns the ASCII form of a character that CJK texts write wider.
func narrow(r rune) rune {
	if '！' <= r && r <= '～' {
		return r - '！' + '!'
	}
	return r
}

// percent refuses a number below 1 %, which may be a share from 0 to 1 already.
func percent(numbers []string) float64 {
	if share := float(numbers[0]); share == 0 || share >= 1 {
		return share / 100
	}
	return math.NaN()
}

func fraction(numbers []string) float64 {
	if of := float(numbers[1]); of > 0 {
		return float(numbers[0]) / of
	}
	return math.NaN()
}

// decimalComma refuses 1,000: some countries write a thousand like this.
func decimalComma(numbers []string) float64 {
	if numbers[0] != "0" && len(numbers[1]) > 2 {
		return math.NaN()
	}
	return float(numbers[0] + "." + numbers[1])
}

func float(text string) float64 {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return number
}

func validScore(score float64) bool {
	return !math.IsNaN(score) && score >= 0 && score <= 1
}
