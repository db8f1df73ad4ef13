package contract

import "deliberation.io/deliberation/domain"

// Prices are the prices of models for a million tokens, by name.
type Prices map[string]Price

// Price is what a million prompt tokens and a million completion tokens cost.
type Price struct {
	Prompt     float64 `json:"prompt"`
	Completion float64 `json:"completion"`
}

// PricesOf maps the domain's prices.
func PricesOf(prices domain.Prices) Prices {
	mapped := make(Prices, len(prices))
	for model, price := range prices {
		mapped[model] = Price(price)
	}
	return mapped
}

func (p Prices) domain() domain.Prices {
	prices := make(domain.Prices, len(p))
	//workflowcheck:ignore // it copies a map, so the order doesn't matter
	for model, price := range p {
		prices[model] = domain.Price(price)
	}
	return prices
}
