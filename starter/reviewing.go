package main

import (
	"time"

	"github.com/spf13/pflag"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// reviewing are the flags that say how a council reviews its proposals.
type reviewing struct {
	by, judgeModel, judgeURL string
	rounds                   int
	patience                 time.Duration
}

func (o *reviewing) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.by, "review", "", "who reviews the proposals: none, peer or judge (default: peer from two agents on)")
	flags.StringVar(&o.judgeModel, "judge-model", "", "the judge's model, with --review judge")
	flags.StringVar(&o.judgeURL, "judge-url", "", "the judge's model server (default: --vllm-url)")
	flags.IntVar(&o.rounds, "rounds", 1, "how often authors may revise")
	flags.DurationVar(&o.patience, "patience", 0, "how long slow agents are waited for once the quorum is met (default: half of the time that is left)")
}

// protocol is what the flags say of it; nil for one agent without such flags.
func (w *words) protocol(flags *pflag.FlagSet) (*contract.Protocol, error) {
	for _, name := range []string{"judge-model", "judge-url"} {
		if flags.Changed(name) && w.review.by != domain.ReviewJudge {
			return nil, misused("add --review judge", "--%s is for a judge only", name)
		}
	}
	protocol := contract.Protocol{Review: w.review.by, JudgeModel: w.review.judgeModel, JudgeURL: w.review.judgeURL}
	if !flags.Changed("review") {
		protocol.Review = domain.ReviewNone
		if w.agents > 1 {
			protocol.Review = domain.ReviewPeer
		}
	}
	if flags.Changed("rounds") {
		protocol.Rounds = &w.review.rounds
	}
	if flags.Changed("quorum") {
		protocol.Quorum = &w.quorum
	}
	var err error
	if protocol.Patience, err = wholeSeconds(flags, "patience", w.review.patience); err != nil {
		return nil, err
	}
	w.budget.set(&protocol, flags)
	silent := protocol.MaxCalls == nil && protocol.TotalTokens == nil && !flags.Changed("review") && protocol.Rounds == nil && protocol.Quorum == nil && protocol.Patience == nil
	if w.agents == 1 && silent {
		return nil, nil //nolint:nilnil // the request's own defaults hold
	}
	return &protocol, nil
}
