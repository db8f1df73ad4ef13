package domain

// Ways in which a council comes to its answer.
const (
	ModeRank       = "rank"       // the best proposal wins
	ModeVote       = "vote"       // the short answer that most proposals have wins
	ModeSynthesize = "synthesize" // a chair writes the final answer, next to the best proposal
)

// checkMode refuses an unknown mode, and a chair that can't be called.
func (s ProtocolSpec) checkMode(faults *Faults) {
	switch s.Mode {
	case "", ModeRank, ModeVote, ModeSynthesize:
	default:
		faults.Add("protocol.mode", "must be %q, %q or %q, got %s", ModeRank, ModeVote, ModeSynthesize, Quote(s.Mode))
	}
	faults.bounded("protocol.chair_model", s.ChairModel, MaxName)
	if s.ChairURL != "" {
		checkURL("protocol.chair_url", s.ChairURL, faults)
	}
}

// votes reports whether the council votes.
func (p Protocol) votes() bool { return p.mode == ModeVote }

// shares reports whether a phase follows in which models read what other models wrote.
func (p Protocol) shares() bool { return p.review != ReviewNone || p.mode == ModeSynthesize }

// SharesTexts reports whether a phase follows in which models read what other models wrote.
func (r DeliberationRequest) SharesTexts() bool { return r.protocol.shares() }
