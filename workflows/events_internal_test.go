package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/workflows/contract"
)

func TestEventQueue_KeepsAnEventThatComesWhileASubmitCarriesOthers(t *testing.T) {
	q := &eventQueue{unsent: []contract.EventRecord{{ID: "1"}}, beginning: []contract.EventRecord{{ID: "2"}}}
	require.Len(t, q.carry(), 2)
	q.unsent = append(q.unsent, contract.EventRecord{ID: "3"})

	q.begun(nil, true)

	require.Equal(t, []contract.EventRecord{{ID: "3"}}, q.unsent)
}
