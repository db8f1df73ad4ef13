package domain

// Each returns what to makes of each item, in order. It never returns nil: in JSON, an empty list isn't null.
func Each[From, To any](items []From, to func(From) To) []To {
	made := make([]To, 0, len(items))
	for _, item := range items {
		made = append(made, to(item))
	}
	return made
}
