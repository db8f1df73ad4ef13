//go:build integration

package evidence

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// answered is how one task was answered in one way, and what that took.
type answered struct {
	kind    kind
	right   bool
	calls   int
	tokens  int
	seconds float64
}

// way is a way to answer tasks.
type way struct {
	name string

	mu       sync.Mutex
	answered []answered
}

func (w *way) add(some ...answered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered = append(w.answered, some...)
}

// accuracy is the share of right answers of a kind, with its standard error, in percent.
func (w *way) accuracy(of kind) (mean, sigma float64) {
	n := 0.0
	for _, one := range w.answered {
		if one.kind == of {
			n++
			if one.right {
				mean++
			}
		}
	}
	if n == 0 {
		return 0, 0
	}
	mean /= n
	return 100 * mean, 100 * math.Sqrt(mean*(1-mean)/n)
}

// perTask are the means of calls and tokens, and the 95th percentile of the time.
func (w *way) perTask() (calls, tokens, p95 float64) {
	var times []float64
	for _, one := range w.answered {
		calls += float64(one.calls)
		tokens += float64(one.tokens)
		times = append(times, one.seconds)
	}
	n := float64(len(w.answered))
	if n == 0 {
		return 0, 0, 0
	}
	slices.Sort(times)
	return calls / n, tokens / n, times[min(len(times)-1, int(math.Ceil(0.95*n))-1)]
}

// table shows the ways side by side.
func table(ways []*way) string {
	var text strings.Builder
	text.WriteString("| way | arithmetic | multiple choice | calls | tokens | p95 s |\n|---|--:|--:|--:|--:|--:|\n")
	for _, w := range ways {
		sums, sumsError := w.accuracy(arithmetic)
		choices, choicesError := w.accuracy(multipleChoice)
		calls, tokens, p95 := w.perTask()
		fmt.Fprintf(&text, "| %s | %.1f ± %.1f | %.1f ± %.1f | %.1f | %.0f | %.1f |\n",
			w.name, sums, sumsError, choices, choicesError, calls, tokens, p95)
	}
	return text.String()
}
