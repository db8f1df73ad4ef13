//go:build integration

package bench

import (
	"fmt"
	"strings"

	"deliberation.io/deliberation/e2e/stack"
)

// bar is one figure of a plot.
type bar struct {
	name   string
	values series
}

// plot shows figures as bars. A thin line is the spread.
type plot struct {
	name, title string
	bars        []bar
}

func (r *report) plot(name, title string, bars ...bar) {
	r.plots = append(r.plots, plot{name, title, bars})
}

func (p plot) svg() string {
	const (
		left, width, right = 230, 400, 130
		top, step, thick   = 40, 34, 20
	)
	most := 0.0
	for _, b := range p.bars {
		_, end := b.values.ends()
		most = max(most, end)
	}
	scale := func(value float64) float64 { return width * value / max(most, 1e-9) }
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n",
		left+width+right, top+step*len(p.bars)+10)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="white"/><text x="10" y="22" font-weight="bold">%s</text>`+"\n", p.title)
	for n, b := range p.bars {
		y := float64(top + step*n)
		middle := y + thick/2
		least, end := b.values.ends()
		fmt.Fprintf(&out, `<text x="%d" y="%.0f" text-anchor="end">%s</text>`, left-10, middle+5, b.name)
		fmt.Fprintf(&out, `<rect x="%d" y="%.0f" width="%.1f" height="%d" fill="#4878a8"/>`, left, y, scale(b.values.median()), thick)
		fmt.Fprintf(&out, `<line x1="%.1f" x2="%.1f" y1="%.0f" y2="%.0f" stroke="black"/>`, left+scale(least), left+scale(end), middle, middle)
		fmt.Fprintf(&out, `<text x="%.1f" y="%.0f">%s</text>`+"\n", left+scale(end)+8, middle+5, b.values)
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func inProject(file string) string { return stack.Path(file) }
