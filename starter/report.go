package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/report"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/untrusted"
)

// reporting are the flags of report.
type reporting struct{ format, output string }

func (c *cli) reportCommand() *cobra.Command {
	var flags reporting
	cmd := &cobra.Command{
		Use:   "report ID",
		Short: "Write the story of a deliberation on one page",
		Long: `Write the story of a deliberation on one page: the decision, the leaderboard, who thought what of whom, who
disagreed and why, each proposal with its revisions, the times and the tokens. The page needs no network.

ID is a deliberation id or a task id. No worker is needed. A deliberation that failed, was cancelled or still
runs has a report too: it shows what is there. The page goes to report-ID.FORMAT in the current folder; an
older one is replaced. Exit code 3: not found.`,
		Example: `  starter report deliberation-T-42
  starter report T-42 --output decision.html
  starter report T-42 --format md --output -`,
		Args:    oneID,
		PreRunE: func(*cobra.Command, []string) error { return c.checkReporting(flags) },
		RunE:    c.withRun(func(ctx context.Context, run runs.Run) error { return c.writeReport(ctx, run, flags) }),
	}
	cmd.Flags().StringVar(&flags.format, "format", "html", "html, md or json")
	cmd.Flags().StringVarP(&flags.output, "output", "o", "", "the file to write; - is stdout (default: report-ID.FORMAT)")
	_ = cmd.MarkFlagFilename("output", report.Formats...) // fails only for an unknown flag
	complete(cmd, "format", report.Formats...)
	return cmd
}

func (c *cli) checkReporting(flags reporting) error {
	if !slices.Contains(report.Formats, flags.format) {
		return misused("see starter report --help", "--format must be one of %s, got %q", strings.Join(report.Formats, ", "), flags.format)
	}
	if c.json && flags.output == "-" {
		return misused("leave out --json: --format json prints the report itself", "--json and --output - both want stdout")
	}
	return nil
}

// writtenReport is the answer of report.
type writtenReport struct {
	DeliberationID string                    `json:"deliberation_id"`
	Status         domain.DeliberationStatus `json:"status"`
	Format         string                    `json:"format"`
	Path           string                    `json:"path"`
}

func (c *cli) writeReport(ctx context.Context, run runs.Run, flags reporting) error {
	t, err := c.server.Timeline(ctx, run)
	if err != nil {
		return err
	}
	source, err := report.SourceOf(run.ID, t, time.Now())
	if err != nil {
		return err
	}
	written := report.Of(source)
	var page bytes.Buffer
	if err := written.Write(&page, flags.format); err != nil {
		return err
	}
	if flags.output == "-" {
		_, err := c.stdout.Write(page.Bytes())
		return err
	}
	path := flags.output
	if path == "" {
		path = "report-" + fileName(run.ID) + "." + flags.format
	}
	if err := os.WriteFile(path, page.Bytes(), 0o600); err != nil {
		return &exit{code: exitFailed, err: fmt.Errorf("write the report: %w", err), hint: "--output names another file"}
	}
	answer := writtenReport{run.ID, written.Status, flags.format, path}
	return c.show(answer, func() { c.printf("%s\n", untrusted.Printable(path)) })
}

var notInFileNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName turns an id into a name that every file system takes.
func fileName(id string) string {
	name := notInFileNames.ReplaceAllString(id, "-")
	return name[:min(len(name), 150)]
}
