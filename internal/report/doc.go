// Package report shows the story of one deliberation on one page: what was decided and why, who disagreed, what
// changed, when, and what it cost. It needs no network, and no script.
//
// # Where to look
//
// report.go builds a Report from what was read of a run: rounds.go the places by round, the review matrix and the
// minority's view, versions.go each proposal with its revisions, bars.go the times of the turns.
// words.go has the sentences. write.go writes a Report as HTML, Markdown or JSON, by the templates in this folder.
package report
