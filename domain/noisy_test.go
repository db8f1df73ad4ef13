package domain_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// noisy is an agent of known skill and bias. Its proposals have a quality around its skill.
type noisy struct {
	skill float64
	pride float64 // how much it overrates its own proposal
	blur  float64 // how far off it sees a quality, its own or that of others
}

// noisyCouncil answers the turns of one council. The proposals state their quality, and agents see it through
// their noise only.
type noisyCouncil struct {
	agents map[string]noisy
	chance *rand.Rand

	// favours is an injected position bias: how much better a reviewer finds a text, by the place where it
	// reads it and by the text's place in the request.
	favours func(readAt, requestedAt int) float64
	strict  bool // reviewers block every proposal, so that the council never stops early
	solving bool // each text solves the task or doesn't, as the agent's skill says

	first map[string]float64 // the quality of each agent's first proposal
}

func newNoisyCouncil(agents []noisy, chance *rand.Rand) *noisyCouncil {
	n := &noisyCouncil{agents: map[string]noisy{}, chance: chance, first: map[string]float64{}, favours: func(int, int) float64 { return 0 }}
	for i, agent := range agents {
		n.agents[fmt.Sprintf("agent-%d", i+1)] = agent
	}
	return n
}

func (n *noisyCouncil) noise(spread float64) float64 { return n.chance.NormFloat64() * spread }

func (n *noisyCouncil) answer(s *session, a domain.Assignment) domain.Outcome {
	agent := n.agents[a.Agent.ID()]
	switch a.Phase.Kind {
	case domain.PeerReview:
		return n.review(s, a, agent)
	case domain.Revise: // a critique solves a task now and then, and seldom it spoils a solution
		solved := n.chance.Float64() < 0.15
		if solves(s.texts[a.Reads[0]]) {
			solved = n.chance.Float64() < 0.97
		}
		return proposalOf(n.checked(solved), 0.5)
	case domain.Propose, domain.Synthesize:
	}
	quality := agent.skill + n.noise(0.15)
	if n.solving {
		quality = n.checked(n.chance.Float64() < agent.skill)
	}
	n.first[a.Agent.ID()] = quality
	return proposalOf(quality, quality+agent.pride+n.noise(agent.blur))
}

// checked returns the quality of a text that solves its task, or doesn't.
func (n *noisyCouncil) checked(solved bool) float64 {
	if solved {
		return 0.8 + n.noise(0.05)
	}
	return 0.3 + n.noise(0.05)
}

func solves(text string) bool { return qualityOf(text) > 0.55 }

func (n *noisyCouncil) review(s *session, a domain.Assignment, by noisy) domain.Outcome {
	seen := map[domain.TurnID]float64{}
	for at, id := range a.Reads {
		quality := qualityOf(s.texts[id])
		seen[id] = quality + n.noise(by.blur) + n.favours(at, n.requestedAt(a.Reads, s, id))
	}
	ranking := slices.Clone(a.Reads)
	slices.SortStableFunc(ranking, func(x, y domain.TurnID) int { return compare(seen[y], seen[x]) })
	review := domain.Review{Ranking: ranking}
	for _, id := range a.Reads {
		mark := min(5, max(1, 1+int(math.Round(4*seen[id]))))
		note := domain.Note{Of: id, Critique: "change this", Marks: map[string]int{"accuracy": mark, "completeness": mark, "clarity": mark, "feasibility": mark}}
		if n.strict {
			note.Blocking = []string{"this can't stay"}
		}
		review.Notes = append(review.Notes, note)
	}
	return domain.Outcome{Kind: domain.OutcomeCompleted, Review: review, Usage: domain.Usage{Calls: 1}}
}

// requestedAt returns the place of a text among those that are read, in the order of the request's agents.
func (n *noisyCouncil) requestedAt(reads []domain.TurnID, s *session, id domain.TurnID) int {
	place := 0
	for _, other := range reads {
		if s.authors[other] < s.authors[id] {
			place++
		}
	}
	return place
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func proposalOf(quality, ownScore float64) domain.Outcome {
	return completed(strconv.FormatFloat(quality, 'f', -1, 64), min(1, max(0, ownScore)), 10)
}

func qualityOf(text string) float64 {
	quality, _ := strconv.ParseFloat(text, 64)
	return quality
}

// bestFirst returns the agent with the best first proposal.
func (n *noisyCouncil) bestFirst() string {
	best := ""
	for id, quality := range n.first {
		if best == "" || quality > n.first[best] {
			best = id
		}
	}
	return best
}

func winnerOf(s *session) (agent, proposal string) {
	best, _ := s.council.Rank().Best()
	return best.Agent().ID(), best.Proposal()
}

// seededCouncil is five agents of different skill, pride and sight.
func seededCouncil(chance *rand.Rand) *noisyCouncil {
	agents := make([]noisy, 5)
	for i := range agents {
		agents[i] = noisy{skill: 0.4 + 0.3*chance.Float64(), pride: 0.3 * chance.NormFloat64(), blur: 0.05 + 0.15*chance.Float64()}
	}
	return newNoisyCouncil(agents, chance)
}

// paired counts how two ways differ over the same trials.
type paired struct{ both, onlyA, onlyB, neither int }

func (p *paired) add(a, b bool) {
	switch {
	case a && b:
		p.both++
	case a:
		p.onlyA++
	case b:
		p.onlyB++
	default:
		p.neither++
	}
}

func (p *paired) rates() (a, b float64) {
	all := float64(p.both + p.onlyA + p.onlyB + p.neither)
	return float64(p.both+p.onlyA) / all, float64(p.both+p.onlyB) / all
}

// sigmas is by how many standard errors the first way is better (McNemar's test).
func (p *paired) sigmas() float64 {
	return float64(p.onlyA-p.onlyB) / math.Sqrt(float64(max(1, p.onlyA+p.onlyB)))
}

const trials = 1000

// chanceOf makes the random numbers of one trial. Two ways that are compared get the same agents from it.
func chanceOf(trial int) *rand.Rand { return rand.New(rand.NewPCG(14, uint64(trial))) }

func TestPeersFindTheBetterProposalMoreOftenThanSelfScores(t *testing.T) {
	var hits paired
	for trial := range trials {
		byPeers, bySelf := seededCouncil(chanceOf(trial)), seededCouncil(chanceOf(trial))
		peers, _ := winnerOf(playAs(fmt.Sprint(trial), reviewed(t, 5, 0), byPeers.answer))
		self, _ := winnerOf(playAs(fmt.Sprint(trial), requestOf(t, specOf(5)), bySelf.answer))
		require.Equal(t, bySelf.first, byPeers.first, "both rank the same proposals")
		hits.add(peers == byPeers.bestFirst(), self == bySelf.bestFirst())
	}
	peers, self := hits.rates()
	t.Logf("the best of five proposals is first: %.1f %% by peers, %.1f %% by self-scores, 20 %% by chance (%d councils, %.0f standard errors apart)", 100*peers, 100*self, trials, hits.sigmas())
	require.Greater(t, hits.sigmas(), 6.0)
	require.Greater(t, peers, self+0.1)
}

func TestRotatingTheOrderRemovesAPositionBias(t *testing.T) {
	const bias = 0.3
	alike := make([]noisy, 5)
	for i := range alike {
		alike[i] = noisy{skill: 0.5, blur: 0.1}
	}
	ways := map[string]func(readAt, requestedAt int) float64{
		"rotated": func(readAt, _ int) float64 { return bias * firstPlace(readAt) },
		"fixed":   func(_, requestedAt int) float64 { return bias * firstPlace(requestedAt) },
	}
	wins, hits := map[string]map[string]int{"rotated": {}, "fixed": {}}, paired{}
	for trial := range trials {
		found := map[string]bool{}
		for way, favours := range ways {
			council := newNoisyCouncil(alike, chanceOf(trial))
			council.favours = favours
			winner, _ := winnerOf(playAs(fmt.Sprint(trial), reviewed(t, 5, 0), council.answer))
			wins[way][winner]++
			found[way] = winner == council.bestFirst()
		}
		hits.add(found["rotated"], found["fixed"])
	}
	rotated, fixed := hits.rates()
	t.Logf("five equal agents, a bias of two standard deviations for the text that is read first, %d councils", trials)
	t.Logf("wins of agents 1 to 5: %v with the orders of the council, %v with one order for all", shares(wins["rotated"]), shares(wins["fixed"]))
	t.Logf("the best proposal is first: %.1f %% rotated, %.1f %% fixed (%.0f standard errors apart)", 100*rotated, 100*fixed, hits.sigmas())
	require.Greater(t, shares(wins["fixed"])[0], 0.5, "without rotation the bias decides")
	for agent, share := range shares(wins["rotated"]) {
		require.InDelta(t, 0.2, share, 4*math.Sqrt(0.2*0.8/trials), "agent-%d gains nothing by its place", agent+1)
	}
	require.Greater(t, hits.sigmas(), 4.0)
}

func firstPlace(at int) float64 {
	if at == 0 {
		return 1
	}
	return 0
}

func shares(wins map[string]int) []float64 {
	var all []float64
	for i := range 5 {
		all = append(all, math.Round(1000*float64(wins[fmt.Sprintf("agent-%d", i+1)])/trials)/1000)
	}
	return all
}

func TestStoppingEarlySavesCallsAtEqualAccuracy(t *testing.T) {
	var solved paired
	early, full := 0, 0
	reasons := map[domain.StopReason]int{}
	for trial := range trials {
		stops, goesOn := seededCouncil(chanceOf(trial)), seededCouncil(chanceOf(trial))
		stops.solving, goesOn.solving, goesOn.strict = true, true, true
		a, b := playAs(fmt.Sprint(trial), reviewed(t, 5, 1), stops.answer), playAs(fmt.Sprint(trial), reviewed(t, 5, 1), goesOn.answer)
		early, full = early+a.turns, full+b.turns
		reasons[a.stop]++
		_, early := winnerOf(a)
		_, late := winnerOf(b)
		solved.add(solves(early), solves(late))
	}
	accuracy, without := solved.rates()
	t.Logf("tasks solved: %.1f %% in %.1f calls with early stops, %.1f %% in %.1f calls without (%d councils of five, one round; stops: %v)",
		100*accuracy, float64(early)/trials, 100*without, float64(full)/trials, trials, reasons)
	require.Less(t, float64(early), 0.75*float64(full))
	require.InDelta(t, without, accuracy, 0.02)
	require.Positive(t, reasons[domain.StopAgreement])
	require.Positive(t, reasons[domain.StopRounds])
}
