package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestAMessageNamesFiftyFaultsAndCountsTheRest(t *testing.T) {
	var faults domain.Faults
	for i := range domain.MaxFaults {
		faults.Add(fmt.Sprintf("at[%d]", i), "is wrong")
	}
	require.Equal(t, 50, strings.Count(faults.Error(), "is wrong"))
	require.NotContains(t, faults.Error(), "more")

	faults.Add("at[50]", "is wrong")
	faults.Add("at[51]", "is wrong")
	require.Equal(t, 50, strings.Count(faults.Error(), "is wrong"))
	require.True(t, strings.HasSuffix(faults.Error(), "at[49]: is wrong; and 2 more"), faults.Error())
	require.Len(t, faults, 52, "no fault is dropped")
}

func TestNoFaultsAreNoError(t *testing.T) {
	require.NoError(t, domain.Faults(nil).OrNil())
	require.NoError(t, domain.Faults{}.OrNil())
}

func TestQuote(t *testing.T) {
	for name, test := range map[string]struct{ value, quoted string }{
		"nothing is shown as nothing":          {"", `""`},
		"a short value is whole":               {"peer", `"peer"`},
		"a hundred bytes are whole":            {strings.Repeat("x", 100), `"` + strings.Repeat("x", 100) + `"`},
		"more is cut":                          {strings.Repeat("x", 101), `"` + strings.Repeat("x", 100) + `"…`},
		"a character isn't cut in two":         {strings.Repeat("議", 34), `"` + strings.Repeat("議", 33) + `"…`},
		"what can't be printed counts escaped": {strings.Repeat("\x7f", 26), `"` + strings.Repeat(`\x7f`, 25) + `"…`},
		"a quote is escaped":                   {`a"b`, `"a\"b"`},
		"a line break stays on the line":       {"a\nb", `"a\nb"`},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.quoted, domain.Quote(test.value)) })
	}
}

func TestQuoteIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := strings.Repeat(anyText().Draw(t, "value"), rapid.IntRange(1, 20).Draw(t, "times"))
		quoted := domain.Quote(value)
		inside := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(quoted, "…"), `"`), `"`)
		require.LessOrEqual(t, len(inside), 100)
		if !strings.HasSuffix(quoted, `"…`) {
			require.Equal(t, fmt.Sprintf("%q", value), quoted)
		}
	})
}

func TestNoFaultQuotesMuchOfTheRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := strings.Repeat(anyText().Draw(t, "text")+"{x", 200)
		spec := specOf(1)
		spec.TaskID, spec.Role, spec.VLLMModel, spec.VLLMURL, spec.Protocol.Review = long, long, long, long, long
		spec.Agents[0] = domain.AgentSpec{AgentID: long, Role: long, Model: long, PromptTemplate: long}
		spec.Constraints.Metadata = map[string]string{long: long}
		_, err := domain.NewDeliberationRequest(spec)
		var faults domain.Faults
		require.ErrorAs(t, err, &faults)
		for _, fault := range faults {
			require.LessOrEqual(t, len(fault.String()), 300, fault)
		}
	})
}

func TestErrorsSayWhatWasTried(t *testing.T) {
	cause := errors.New("503")
	err := error(&domain.Error{Kind: domain.KindFull, Op: "submit to local", Err: cause})
	require.EqualError(t, err, "submit to local: 503")
	require.ErrorIs(t, err, cause)
	require.EqualError(t, &domain.Error{Kind: domain.KindFull, Op: "submit to local"}, "submit to local: RayFull")
}

func TestFatalErrorsAreThoseThatTryingAgainCannotMend(t *testing.T) {
	for kind, fatal := range map[domain.ErrorKind]bool{
		domain.KindFull: false, domain.KindUnavailable: false, domain.KindUnreachable: false, domain.KindPublish: false,
		domain.KindNoCluster: false, domain.KindDenied: true, domain.KindRejected: true, domain.KindURL: true,
	} {
		require.Equal(t, fatal, (&domain.Error{Kind: kind}).Fatal(), kind)
	}
}

func TestFailureMessagesAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := strings.Repeat(anyText().Draw(t, "message"), 400)
		failure := domain.NewTurnFailure(domain.ModelRejected, message, true)
		require.LessOrEqual(t, domain.EncodedSize(failure.Message()), 2<<10)
		require.True(t, strings.HasPrefix(message, failure.Message()))
		require.Equal(t, domain.ModelRejected, failure.Kind())
		require.True(t, failure.Retryable())
	})
}
