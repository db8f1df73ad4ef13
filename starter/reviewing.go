package main

import (
	"reflect"
	"time"

	"github.com/spf13/pflag"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// reviewing are the flags that say how a council comes to its answer.
type reviewing struct {
	mode, chairModel, chairURL string
	by, judgeModel, judgeURL   string
	rounds                     int
	patience                   time.Duration
}

func (o *reviewing) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.mode, "mode", "", "how the council comes to its answer: rank, vote or synthesize (default: rank)")
	flags.StringVar(&o.chairModel, "chair-model", "", "the chair's model, with --mode synthesize (default: --model)")
	flags.StringVar(&o.chairURL, "chair-url", "", "the chair's model server (default: --vllm-url)")
	flags.StringVar(&o.by, "review", "", "who reviews the proposals: none, peer or judge (default: peer from two agents on)")
	flags.StringVar(&o.judgeModel, "judge-model", "", "the judge's model, with --review judge")
	flags.StringVar(&o.judgeURL, "judge-url", "", "the judge's model server (default: --vllm-url)")
	flags.IntVar(&o.rounds, "rounds", 1, "how often authors may revise")
	flags.DurationVar(&o.patience, "patience", 0, "how long slow agents are waited for once the quorum is met (default: half of the time that is left, or until the deadline without reviews and chair)")
}

// protocol returns the protocol by the flags; nil for one agent without such flags.
func (w *words) protocol(flags *pflag.FlagSet) (*contract.Protocol, error) {
	if err := w.checkRoles(flags); err != nil {
		return nil, err
	}
	protocol := contract.Protocol{
		Mode: w.review.mode, ChairModel: w.review.chairModel, ChairURL: w.review.chairURL,
		Review: w.review.by, JudgeModel: w.review.judgeModel, JudgeURL: w.review.judgeURL,
	}
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
	if !flags.Changed("review") && reflect.DeepEqual(protocol, contract.Protocol{Review: domain.ReviewNone}) {
		return nil, nil //nolint:nilnil // without a protocol, the request has its defaults
	}
	return &protocol, nil
}

// checkRoles refuses the flags of a judge, a chair or reviewers if the council has none.
func (w *words) checkRoles(flags *pflag.FlagSet) error {
	for _, name := range []string{"judge-model", "judge-url"} {
		if flags.Changed(name) && w.review.by != domain.ReviewJudge {
			return misused("add --review judge", "--%s is for a judge only", name)
		}
	}
	for _, name := range []string{"chair-model", "chair-url"} {
		if flags.Changed(name) && w.review.mode != domain.ModeSynthesize {
			return misused("add --mode synthesize", "--%s is for a chair only", name)
		}
	}
	unreviewed := w.review.by == domain.ReviewNone || w.agents == 1 && !flags.Changed("review")
	if flags.Changed("rounds") && unreviewed {
		return misused("leave it out, or have reviews: two agents or more, without --review none", "--rounds is for reviews only")
	}
	return nil
}
