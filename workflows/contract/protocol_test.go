package contract_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// Each rule of the protocol's newer fields, by the field's path and its JSON.
func TestProtocol_RulesNameTheField(t *testing.T) {
	for _, test := range []struct{ path, text, fault string }{
		{"proposals", `{}`, `proposals: must be a list, got an object`},
		{"proposals", `[]`, `proposals: must be 2..64 proposals, got 0; leave it out for a council that makes its own`},
		{"proposals", `["x",{"id":"b","text":"t"}]`, `proposals[0]: must be an object, got "x"`},
		{"proposals", `[{"id":"a","text":"t","author":""},{"id":"b","text":"t"}]`, `proposals[0].author: cannot be empty; leave it out for the default`},
		{"proposals", `[{"id":"a","text":"t","score":1},{"id":"b","text":"t"}]`, `proposals[0].score: unknown field`},
		{"proposals", `[{"id":1,"text":"t"},{"id":"b","text":"t"}]`, `proposals[0].id: must be a string, got 1`},
		{"proposals", `[{"text":"t"},{"id":"b"}]`, `proposals[0].id: cannot be empty; proposals[1].text: cannot be empty`},
		{"protocol.mode", `"merge"`, `protocol.mode: must be "rank", "vote" or "synthesize", got "merge"`},
		{"protocol.mode", `""`, `protocol.mode: cannot be empty; leave it out for the default`},
		{"protocol.mode", `1`, `protocol.mode: must be a string, got 1`},
		{"protocol.chair_model", `" "`, `protocol.chair_model: cannot be empty; leave it out for the default`},
		{"protocol.chair_url", `""`, `protocol.chair_url: cannot be empty; leave it out for the default`},
		{"protocol.chair_url", `"chair:8000"`, `protocol.chair_url: must be an absolute http or https URL, got "chair:8000"`},
		{"protocol.chair_url", `"http://169.254.169.254"`, `protocol.chair_url: names a link-local or cloud metadata address, which is never allowed`},
		{"protocol.chair_modle", `"m"`, `protocol.chair_modle: unknown field; did you mean chair_model?`},
		{"protocol.max_llm_calls", `0`, `protocol.max_llm_calls: must be at least 1, got 0; leave it out for no bound`},
		{"protocol.max_llm_calls", `-1`, `protocol.max_llm_calls: must be 1..1000000, got -1`},
		{"protocol.max_llm_calls", `"9"`, `protocol.max_llm_calls: must be a whole number, got "9"`},
		{"protocol.max_llm_calls", `7`, `protocol.max_llm_calls: must be at least 8 for the first phase (2 turns with up to 4 attempts each), got 7; constraints.max_retries lowers that`},
		{"protocol.max_total_tokens", `0`, `protocol.max_total_tokens: must be at least 1, got 0; leave it out for no bound`},
		{"protocol.max_total_tokens", `1.5`, `protocol.max_total_tokens: must be a whole number, got 1.5`},
	} {
		edits := map[string]string{test.path: test.text}
		if test.path == "proposals" {
			edits["protocol.review"] = `"peer"`
		}
		require.Equal(t, test.fault, strings.Join(faultsOf(t, fakes.EditedRequest(t, edits)), "; "), test.text)
	}
}

func TestProtocol_ABudgetIsRecorded(t *testing.T) {
	parsed, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{
		"protocol.max_llm_calls": `8`, "protocol.max_total_tokens": `1e6`,
	})).Parse()
	require.NoError(t, err)
	require.Equal(t, 8, parsed.Normalised.Protocol.MaxCalls)
	require.Equal(t, 8, parsed.Normalised.Domain().Protocol().Budget().Calls)
	require.Equal(t, 1_000_000, parsed.Normalised.Domain().Protocol().Budget().Tokens)
}

func TestRequest_BringsProposalsAlong(t *testing.T) {
	const proposals = `[{"id":"a","text":"one","author":"agent-1"},{"id":"b","text":"two"}]`
	edits := map[string]string{"proposals": proposals, "protocol.review": `"peer"`}
	parsed, err := contract.RequestText(fakes.EditedRequest(t, edits)).Parse()
	require.NoError(t, err)
	require.JSONEq(t, proposals, encode(t, parsed.Normalised.Proposals))
	require.Equal(t, parsed.Domain, parsed.Normalised.Domain())

	none, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{"proposals": "null"})).Parse()
	require.NoError(t, err)
	require.NotContains(t, encode(t, none.Normalised), "proposals")
}

func TestProtocol_AReviewThatCannotBeMadeIsAFault(t *testing.T) {
	judge := func(edits ...string) map[string]string {
		all := map[string]string{"protocol.review": `"judge"`, "protocol.judge_model": `"large"`}
		for i := 0; i < len(edits); i += 2 {
			all[edits[i]] = edits[i+1]
		}
		return all
	}
	for name, test := range map[string]struct {
		edits map[string]string
		fault string
	}{
		"no judge":           {map[string]string{"protocol.review": `"judge"`}, `protocol.judge_model: cannot be empty`},
		"one candidate":      {map[string]string{"protocol.review": `"peer"`, "agents": agentsJSON(1)}, `protocol.review: "peer" needs at least two agents`},
		"a weight of 0":      {judge("protocol.rubric", `{"cost":0}`), `protocol.rubric.cost: must be greater than 0 and at most 1000, got 0`},
		"a negative weight":  {judge("protocol.rubric", `{"cost":-1}`), `protocol.rubric.cost: must be greater than 0 and at most 1000, got -1`},
		"no name":            {judge("protocol.rubric", `{"Cost!":1}`), `protocol.rubric: the criterion "Cost!" must be 1 to 40 of a-z, 0-9 and _, and begin with a letter`},
		"a name of the form": {judge("protocol.rubric", `{"label":1}`), `protocol.rubric.label: is a name that reviews use themselves; choose another one`},
		"a relative URL":     {judge("protocol.judge_url", `"judge:8000"`), `protocol.judge_url: must be an absolute http or https URL, got "judge:8000"`},
		"a URL with a query": {judge("protocol.judge_url", `"http://judge?x=1"`), `protocol.judge_url: must not carry a query or fragment`},
		"a metadata address": {judge("protocol.judge_url", `"http://169.254.169.254"`), `protocol.judge_url: names a link-local or cloud metadata address, which is never allowed`},
		"a long wait":        {judge("protocol.patience_seconds", `86401`), `protocol.patience_seconds: must be 0..86400, got 86401`},
	} {
		require.Equal(t, test.fault, strings.Join(faultsOf(t, fakes.EditedRequest(t, test.edits)), "; "), name)
	}

	allow, err := domain.NewAllowList([]string{"vllm"})
	require.NoError(t, err)
	for edits, fault := range map[string]string{`"http://judge:8000"`: "protocol.judge_url: is outside the allow-list (DELIBERATION_VLLM_ALLOW)", `"http://vllm:9000"`: ""} {
		_, err := contract.RequestText(fakes.EditedRequest(t, judge("protocol.judge_url", edits))).ParseFor(allow)
		if fault == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, fault)
	}
}
