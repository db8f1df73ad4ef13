package domain

// AnswerMaximum returns how many bytes of Go's JSON encoding an answer of each of n agents may have: at most
// 64 KiB each and 1 MiB together, so that the task and all proposals fit into one payload.
func AnswerMaximum(n int) int { return min(mostAnswer, (1<<20)/max(1, n)) }

// Bounds of answers, and the sizes of a result's parts without proposals and critiques, in bytes of Go's JSON
// encoding. A test in workflows measures the largest results.
const (
	mostAnswer    = 64 << 10
	mostCritiques = 16 << 10 // of a peer's review
	mostJudged    = 128 << 10

	mostResult       = 1_950_000 // of the 2 MiB that a payload may have
	resultOverhead   = 5_000     // ids, usage, times
	agentOverhead    = 1_900     // three names, metadata, numbers
	versionOverhead  = 300       // of a proposal: its id, its author, the fate of a revision
	voteOverhead     = 2*MaxName + 60
	reviewOverhead   = 400 // the reviewer, names of fields
	noteOverhead     = 130 // names of fields, the score, the id of the proposal here and in order and ranking
	markOverhead     = 6   // in addition to the name of the criterion
	blockingOverhead = 24  // what Fit keeps of an issue in any case
)

// AnswerMaximum returns how many bytes of Go's JSON encoding the texts of an answer in this phase may have. If
// proposals are reviewed, the result contains every version and every review. A quarter of its room is for
// critiques.
func (r DeliberationRequest) AnswerMaximum(kind PhaseKind) int {
	if !r.protocol.SharesTexts() {
		return AnswerMaximum(len(r.agents))
	}
	room := mostResult - r.resultWithoutTexts()
	if kind != PeerReview {
		return min(mostAnswer, room*3/4/(r.texts()+2)) // the best one is in the result twice, and the final answer once
	}
	reviewers, reads := r.reviewLoad()
	most := mostCritiques
	if r.protocol.Review() == ReviewJudge || reads > mostReadAll {
		most = mostJudged
	}
	return min(most, room/4/(r.versions()*reviewers))
}

// texts returns how many answers are in the result: every version that the council makes.
func (r DeliberationRequest) texts() int {
	if len(r.given) > 0 {
		return (r.versions() - 1) * r.revisers()
	}
	return r.versions() * len(r.agents)
}

// resultWithoutTexts returns the most bytes that a result takes in addition to proposals and critiques.
func (r DeliberationRequest) resultWithoutTexts() int {
	authors := len(r.authors())
	size := resultOverhead + (authors+2)*agentOverhead + authors*r.versions()*versionOverhead + r.givenSize
	if r.protocol.votes() {
		size += authors * voteOverhead
	}
	if r.protocol.Review() == ReviewNone {
		return size
	}
	reviewers, reads := r.reviewLoad()
	note := noteOverhead + blockingOverhead
	for _, criterion := range r.protocol.rubric {
		note += markOverhead + len(criterion.Name)
	}
	for round := range r.protocol.Rounds() + 1 {
		notes := reads * min(2, round+1) // later rounds compare the old and the new text
		size += reviewers * (reviewOverhead + max(MaxMessage, notes*note))
	}
	return size
}

// sizeOfGiven returns the bytes of given proposals in a result: each once, and the best one twice. A request keeps it:
// every turn asks for its maximum, and the texts may have 500 KB.
func sizeOfGiven(proposals []GivenSpec) int {
	size, longest := 0, 0
	for _, given := range proposals {
		text := EncodedSize(given.Text)
		size, longest = size+text, max(longest, text)
	}
	return size + longest
}

// versions returns how many versions of a proposal there may be.
func (r DeliberationRequest) versions() int {
	if r.protocol.Review() == ReviewNone {
		return 1
	}
	return r.protocol.Rounds() + 1
}
