package domain

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Price is what a million tokens of a model cost, in the currency of whoever runs the service.
type Price struct {
	Prompt     float64
	Completion float64
}

// Prices are the prices of models, by the names that requests use.
type Prices map[string]Price

const mostPrice = 1_000_000

// ReadPrices reads prices of the form model=price or model=prompt/completion. The error is [Faults].
func ReadPrices(texts []string) (Prices, error) {
	if len(texts) == 0 {
		return nil, nil //nolint:nilnil // no prices are prices too
	}
	var faults Faults
	prices := make(Prices, len(texts))
	for _, text := range texts {
		model, price, ok := readPrice(strings.TrimSpace(text))
		switch _, twice := prices[model]; {
		case !ok:
			faults.Add(Quote(text), "must be model=prompt/completion or model=price, each for a million tokens and from 0 to %d", mostPrice)
		case twice:
			faults.Add(Quote(model), "has two prices")
		default:
			prices[model] = price
		}
	}
	return prices, faults.OrNil()
}

func readPrice(text string) (model string, price Price, ok bool) {
	at := strings.LastIndex(text, "=") // a model's name may contain one
	if at < 1 {
		return "", Price{}, false
	}
	prompt, completion, two := strings.Cut(text[at+1:], "/")
	if !two {
		completion = prompt
	}
	var first, second bool
	price.Prompt, first = amount(prompt)
	price.Completion, second = amount(completion)
	return strings.TrimSpace(text[:at]), price, first && second
}

func amount(text string) (float64, bool) {
	number, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return number, err == nil && number >= 0 && number <= mostPrice
}

// Of returns only the prices of these models.
func (p Prices) Of(models []string) Prices {
	some := Prices{}
	for _, model := range models {
		if price, known := p[model]; known {
			some[model] = price
		}
	}
	return some
}

// Models returns the models that the request names, each once.
func (r DeliberationRequest) Models() []string {
	var models []string
	for _, agent := range r.agents {
		models = append(models, agent.model)
	}
	if r.protocol.Review() == ReviewJudge {
		models = append(models, r.protocol.spec.JudgeModel)
	}
	if r.protocol.Mode() == ModeSynthesize {
		models = append(models, r.chair().model)
	}
	slices.Sort(models)
	return slices.Compact(models)
}

// Cost returns what all attempts have cost, and whether that is known: each model that was paid for needs a
// price. A price for a million tokens is the cost of one token in millionths.
func (c Council) Cost(prices Prices) (cost float64, known bool) {
	millionths := 0.0
	//workflowcheck:ignore // sorted
	for _, model := range slices.Sorted(maps.Keys(c.paidTo)) {
		price, priced := prices[model]
		if !priced {
			return 0, false
		}
		usage := c.paidTo[model]
		millionths += price.Prompt*float64(usage.PromptTokens) + price.Completion*float64(usage.CompletionTokens)
	}
	return math.Round(millionths) / 1e6, len(prices) > 0
}
