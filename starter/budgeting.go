package main

import (
	"github.com/spf13/pflag"

	"deliberation.io/deliberation/workflows/contract"
)

// budgeting are the flags that bound the cost of a deliberation.
type budgeting struct{ calls, tokens int }

func (b *budgeting) register(flags *pflag.FlagSet) {
	flags.IntVar(&b.calls, "max-calls", 0, "how many model calls it may make, retries included (default: no bound)")
	flags.IntVar(&b.tokens, "max-total-tokens", 0, "how many prompt and completion tokens it may use (default: no bound)")
}

// set makes the given flags part of the protocol. An explicit 0 is passed on, so that the request's check refuses it.
func (b *budgeting) set(protocol *contract.Protocol, flags *pflag.FlagSet) {
	if flags.Changed("max-calls") {
		protocol.MaxCalls = &b.calls
	}
	if flags.Changed("max-total-tokens") {
		protocol.TotalTokens = &b.tokens
	}
}
