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
	// pageText is the text of a page and of its frames, in which the Web UI renders markdown.
	pageText = `[document, ...Array.from(document.querySelectorAll("iframe"), f => f.contentDocument)].map(d => d?.body?.innerText).join(" ").replace(/\s+/g, " ")`
	// drawnText is the text in a page's drawings. The timeline is one.
	drawnText = `Array.from(document.querySelectorAll("svg text"), e => e.textContent).join("\n")`
)

// browser is a Chromium without a window.
type browser struct {
	ctx   context.Context
	shots string // the folder of the screenshots
}

// openBrowser starts a browser. Without a Chromium it skips the test.
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
	require.NoError(t, chromedp.Do(ctx)) // the browser starts here, and ends with this context
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

// sees opens a page, waits until all parts are there, and keeps a screenshot.
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
