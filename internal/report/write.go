package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
)

//go:embed page.html.tmpl page.css page.md.tmpl
var files embed.FS

// Formats are the formats of a report.
var Formats = []string{"html", "md", "json"}

func (r Report) Write(to io.Writer, format string) error {
	switch format {
	case "html":
		return r.render(to, pages().Execute)
	case "md":
		return r.render(to, markdown().Execute)
	case "json":
		return terminal.WriteIndentedJSON(to, r)
	}
	return fmt.Errorf("unknown format %q: it must be one of %s", format, strings.Join(Formats, ", "))
}

// render replaces characters that could steer a terminal or change the reading direction. The templates escape only
// characters with a meaning in their format.
func (r Report) render(to io.Writer, execute func(io.Writer, any) error) error {
	var page bytes.Buffer
	if err := execute(&page, r); err != nil {
		return err
	}
	_, err := io.WriteString(to, untrusted.Printable(page.String()))
	return err
}

var shared = map[string]any{
	"fate": FateWords, "version": versionWords, "move": moveWords, "places": placesWords, "score": score,
	"when": when, "duration": terminal.Duration, "cost": cost, "phase": phaseWords, "heat": heat, "took": took, "count": domain.Count,
}

func pages() *template.Template {
	css, _ := files.ReadFile("page.css")                                               // embedded
	funcs := template.FuncMap{"css": func() template.CSS { return template.CSS(css) }} //nolint:gosec // our own file
	return template.Must(template.New("page.html.tmpl").Funcs(shared).Funcs(funcs).ParseFS(files, "page.html.tmpl"))
}

func markdown() *texttemplate.Template {
	funcs := texttemplate.FuncMap{"text": markdownText, "quoted": fenced, "changed": markdownDiff}
	return texttemplate.Must(texttemplate.New("page.md.tmpl").Funcs(shared).Funcs(funcs).ParseFS(files, "page.md.tmpl"))
}

// markdownText returns a text on one line, without any meaning in Markdown or HTML.
func markdownText(text any) string { return untrusted.Markdown(fmt.Sprint(text)) }

func markdownDiff(changes []Change) string {
	var text strings.Builder
	for _, change := range changes {
		switch change.Kind {
		case "added":
			text.WriteString("{+" + change.Text + "+}")
		case "removed":
			text.WriteString("[-" + change.Text + "-]")
		default:
			text.WriteString(change.Text)
		}
	}
	return fenced(text.String())
}

// fenced returns a text unchanged, between fences that it doesn't contain.
func fenced(text string) string {
	text = untrusted.Printable(text)
	longest := 2
	for _, backticks := range strings.FieldsFunc(text, func(r rune) bool { return r != '`' }) {
		longest = max(longest, len(backticks))
	}
	fence := strings.Repeat("`", longest+1)
	return fence + "\n" + strings.TrimRight(text, "\n") + "\n" + fence
}

func score(s any) string {
	switch value := s.(type) {
	case *float64:
		if value == nil {
			return "–"
		}
		return fmt.Sprintf("%.2f", *value)
	case float64:
		return fmt.Sprintf("%.2f", value)
	}
	return "–"
}

func cost(c float64) string { return strconv.FormatFloat(c, 'f', -1, 64) }

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// heat returns the step of a score in the heat map, from 0 to 4.
func heat(score float64) int { return min(4, max(0, int(score*5))) }

func took(begin, end time.Time) string { return terminal.Duration(end.Sub(begin)) }
