package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

// judging is a council of agents that judges this many proposals of others.
func judging(agents, proposals int) domain.RequestSpec {
	spec := reviewedSpec(agents, domain.ReviewPeer, 1)
	for i := range proposals {
		spec.Given = append(spec.Given, domain.GivenSpec{ID: fmt.Sprintf("p%d", i+1), Text: fmt.Sprintf("text %d", i+1)})
	}
	return spec
}

func TestGivenProposalsAreReviewedAtOnce(t *testing.T) {
	spec := judging(2, 3)
	spec.Given[1].Author = "agent-1"
	council := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
	require.True(t, council.QuorumMet())
	require.Empty(t, council.Retired(), "nobody was at work for a given proposal")

	next := council.Plan().Next

	require.Len(t, next, 2)
	require.Equal(t, domain.Phase{Kind: domain.PeerReview, Round: 1}, next[0].Phase)
	require.Len(t, next[0].Reads, 2, "an agent doesn't review its own")
	require.Len(t, next[1].Reads, 3)
	texts := council.Texts(next)
	require.Len(t, texts.Proposals, 3)

	council = settledAll(council, next, 1)
	revise := council.Plan().Next
	require.Len(t, revise, 1, "only an agent can revise")
	require.Equal(t, domain.Phase{Kind: domain.Revise, Round: 1}, revise[0].Phase)
	require.Equal(t, "agent-1", revise[0].Agent.ID())
	council = settledAll(council, revise, 1)
	council = settledAll(council, council.Plan().Next, 1)
	require.Equal(t, domain.Plan{Stop: domain.StopRounds}, council.Plan())

	ranked := council.Rank()
	require.Len(t, ranked.Results(), 3)
	require.False(t, ranked.Degraded())
	for _, result := range ranked.Results() {
		id, author := result.Given()
		switch id {
		case "p2":
			require.Equal(t, "agent-1", author)
			require.Equal(t, "agent-1", result.Agent().ID())
		case "p1", "p3":
			require.Equal(t, id, result.Agent().ID())
		default:
			require.Empty(t, id, "a revision is the council's own")
			require.Equal(t, "agent-1", result.Agent().ID())
		}
	}
	require.Equal(t, 1, council.PaidFor(domain.Revise).Calls)
	require.Zero(t, council.PaidFor(domain.Propose).Calls)
}

func TestProposalsOfOthersAreNotRevised(t *testing.T) {
	council := domain.NewCouncil(requestOf(t, judging(2, 2)), domain.RunKey{WorkflowID: "w"})
	council = settledAll(council, council.Plan().Next, 1)
	require.Equal(t, domain.Plan{Stop: domain.StopComplete}, council.Plan())
}

func TestWithoutAReviewGivenProposalsKeepTheirOrder(t *testing.T) {
	council := domain.NewCouncil(requestOf(t, judging(2, 3)), domain.RunKey{WorkflowID: "w"})
	next := council.Plan().Next
	council = council.Assign(next)
	for _, assignment := range next {
		council = take(council, council.Turn(assignment), failed(domain.ModelRejected, false, 1))
	}
	require.Equal(t, domain.Plan{Stop: domain.StopReviewsFailed}, council.Plan())
	ranked := council.Rank()
	require.Equal(t, domain.RankedBySelf, ranked.Basis())
	best, _ := ranked.Best()
	require.Equal(t, "text 1", best.Proposal())
}

// Many proposals are shared among the reviewers: each proposal is read, nearly equally often, and nobody reads its own.
func TestManyGivenProposalsAreShared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents, proposals := rapid.IntRange(3, 20).Draw(t, "agents"), rapid.IntRange(7, 64).Draw(t, "proposals")
		spec := judging(agents, proposals)
		own := rapid.IntRange(0, min(agents, proposals)).Draw(t, "own")
		for i := range own {
			spec.Given[i].Author = spec.Agents[i].AgentID
		}
		council := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: rapid.String().Draw(t, "id")})
		read := map[domain.TurnID]int{}
		for _, assignment := range council.Plan().Next {
			require.Len(t, slices.Compact(slices.Sorted(slices.Values(assignment.Reads))), len(assignment.Reads))
			for id, text := range council.Texts([]domain.Assignment{assignment}).Proposals {
				read[id]++
				if i := slices.IndexFunc(spec.Given, func(g domain.GivenSpec) bool { return g.Text == text.Proposal }); i >= 0 {
					require.NotEqual(t, assignment.Agent.ID(), spec.Given[i].Author)
				}
			}
		}
		require.Len(t, read, proposals, "each is read")
	})
}

func TestGivenProposalsThatCannotBeJudgedAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*domain.RequestSpec)
		fault  string
	}{
		"one":          {func(s *domain.RequestSpec) { s.Given = s.Given[:1] }, "proposals: must be 2..64 proposals, got 1; leave it out for a council that makes its own"},
		"none":         {func(s *domain.RequestSpec) { s.Given = s.Given[:0] }, "proposals: must be 2..64 proposals, got 0; leave it out for a council that makes its own"},
		"no review":    {func(s *domain.RequestSpec) { s.Protocol.Review = domain.ReviewNone }, `proposals: can be judged only with protocol.review "peer" or "judge"`},
		"a vote":       {func(s *domain.RequestSpec) { s.Protocol.Mode = domain.ModeVote }, `protocol.mode: "vote" counts answers that the agents give themselves; it can't be used with proposals`},
		"no id":        {func(s *domain.RequestSpec) { s.Given[0].ID = " " }, "proposals[0].id: cannot be empty"},
		"no text":      {func(s *domain.RequestSpec) { s.Given[1].Text = "" }, "proposals[1].text: cannot be empty"},
		"a long text":  {func(s *domain.RequestSpec) { s.Given[1].Text = strings.Repeat("x", 64<<10+1) }, "proposals[1].text: must be at most 65536 bytes in JSON, got 65537"},
		"the same id":  {func(s *domain.RequestSpec) { s.Given[1].ID = "p1" }, "proposals[1].id: duplicate of proposals[0]"},
		"an agent's":   {func(s *domain.RequestSpec) { s.Given[1].ID = "agent-1" }, "proposals[1].id: is the id of an agent that isn't its author; choose another one"},
		"two of one":   {func(s *domain.RequestSpec) { s.Given[0].Author, s.Given[1].Author = "agent-1", "agent-1" }, "proposals[1].author: the agent is the author of proposals[0] already; an agent can have one"},
		"a long name":  {func(s *domain.RequestSpec) { s.Given[1].Author = strings.Repeat("x", 201) }, "proposals[1].author: must be at most 200 bytes in JSON, got 201"},
		"only its own": {func(s *domain.RequestSpec) { s.Agents = s.Agents[:1]; s.Given[0].Author = "agent-1" }, "proposals: must have at least 2 that the only agent isn't the author of, got 1"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := judging(2, 2)
			test.change(&spec)
			_, err := domain.NewDeliberationRequest(spec)
			hasFault(t, err, test.fault)
		})
	}
	alone := judging(1, 2)
	requestOf(t, alone)
	shared := judging(2, 2)
	shared.Given[0].Author, shared.Given[1].Author = "somebody", "somebody"
	requestOf(t, shared)
}

func TestTheForecastOfGivenProposalsHasNoProposals(t *testing.T) {
	request := requestOf(t, judging(2, 3))
	require.Equal(t, "at most 2 model calls: 3 given proposals, then up to 1 review each", request.CallsInWords())
	spec := judging(2, 3)
	spec.Given[0].Author = "agent-1"
	require.Equal(t, 5, requestOf(t, spec).MostCalls(), "two reviews, one revision, two reviews")
}

func TestTheForecastIncludesTheCritiquesOfAllWhoJudgeAGivenProposal(t *testing.T) {
	tokens := func(agents int) int {
		spec := judging(agents, 2)
		spec.Given[0].Author = "agent-1"
		return requestOf(t, spec).Forecast().PromptTokens
	}
	require.Greater(t, tokens(10)-tokens(3), 7*(2+4+1)*2048, "each further agent reads two texts, then both versions of both, and writes a critique")
}
