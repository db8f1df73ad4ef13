//go:build integration

package e2e

import (
	"os"
	"testing"

	"deliberation.io/deliberation/e2e/stack"
)

func TestMain(m *testing.M) { os.Exit(stack.Main(m)) }
