package domain

// Best returns the best proposal, and whether there is one.
func (r CouncilResult) Best() (DeliberationResult, bool) {
	if len(r.results) == 0 {
		return DeliberationResult{}, false
	}
	return r.results[0], true
}
