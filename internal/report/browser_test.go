//go:build integration

package report_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The page as a person sees it: nothing is wider than the screen, and the colours follow the browser's.
func TestThePageFitsEveryScreenAndFollowsItsColours(t *testing.T) {
	ctx := browser(t)
	page, err := filepath.Abs("testdata/reviewed.golden.html")
	require.NoError(t, err)
	paper := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{380, 1200} {
			require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)))
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			require.NoError(t, err)
			require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("file://"+page)))
			wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
			require.NoError(t, err)
			require.LessOrEqual(t, wide, width, "%s at %d pixels", scheme, width)
			title, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.querySelector('h1').innerText"))
			require.NoError(t, err)
			require.Equal(t, "The proposal of agent-dev-001 won", title)
			paper[scheme], err = chromedp.Run(ctx, chromedp.Evaluate[string]("getComputedStyle(document.body).backgroundColor"))
			require.NoError(t, err)
		}
	}
	require.NotEqual(t, paper["light"], paper["dark"])
}

// browser starts a Chromium without a window. Without a Chromium it skips the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium on PATH, so nobody looks at the page: apt-get install chromium")
	}
	ctx, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU)...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	require.NoError(t, chromedp.Do(ctx)) // the browser starts here, and ends with the context above
	ctx, end = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(end)
	return ctx
}
