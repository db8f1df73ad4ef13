//go:build integration

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

const (
	// pageText is what a person reads on a page, frames included: the Web UI renders markdown in them.
	pageText = `[document, ...Array.from(document.querySelectorAll("iframe"), f => f.contentDocument)].map(d => d?.body?.innerText).join(" ").replace(/\s+/g, " ")`
	// drawnText is what is written in a page's drawings, of which the timeline is one.
	drawnText = `Array.from(document.querySelectorAll("svg text"), e => e.textContent).join("\n")`
)

// browser is a Chromium without a window.
type browser struct {
	ctx   context.Context
	shots string // where screenshots are kept
}

// openBrowser skips the test where there is no Chromium.
func openBrowser(t *testing.T) browser {
	t.Helper()
	program := chromium(t)
	shots := filepath.Join(stack.At.Home, "screenshots")
	require.NoError(t, os.MkdirAll(shots, 0o755))
	ctx, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1400, 1500),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(ctx)) // it starts here, and lives as long as this context
	return browser{ctx: ctx, shots: shots}
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	t.Skip("no Chromium on PATH, so nobody looks at the Web UI: apt-get install chromium")
	return ""
}

// sees opens a page, waits until all of it is there, and keeps a screenshot.
func (b browser) sees(t *testing.T, shot, url, text string, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stack.Patience)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(url)))
	defer func() {
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(b.shots, shot+".png"), picture, 0o600))
	}()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](text))
		require.NoError(c, err)
		requireAll(c, shown, parts...)
	}, stack.Patience, 250*time.Millisecond, url)
}
