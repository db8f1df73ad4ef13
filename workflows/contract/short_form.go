package contract

import (
	"encoding/json"
	"slices"
	"strings"

	"deliberation.io/deliberation/domain"
)

const (
	// MaxEvent bounds the bytes of an event's data. NATS takes messages of 1 MiB by default.
	MaxEvent = 512 << 10
	// shortMember bounds the bytes of one member of an event in short form.
	shortMember = 1 << 10
)

// WithData returns the record with encoded data, in short form if the data is longer than [MaxEvent].
func (e EventRecord) WithData(data any) (EventRecord, error) {
	var err error
	if e.Data, err = json.Marshal(data); err != nil {
		return e, err
	}
	if len(e.Data) > MaxEvent {
		return e.ShortForm(), nil
	}
	return e, nil
}

// ShortForm returns the record without its long texts, and with a `result_ref` to the run that has them. It is the same
// event, with the same id. The data of `completed` becomes a [ScoreboardEvent]. The data of other events loses its long
// members, which `omitted` names; all other members keep their places.
func (e EventRecord) ShortForm() EventRecord {
	var members map[string]json.RawMessage
	if len(e.Data) <= shortMember || json.Unmarshal(e.Data, &members) != nil || members["result_ref"] != nil {
		return e // there is nothing to leave out
	}
	short, err := e.shortData(members)
	if err != nil {
		return e
	}
	e.Data = short
	return e
}

func (e EventRecord) shortData(members map[string]json.RawMessage) (json.RawMessage, error) {
	run, _, _ := strings.Cut(strings.TrimPrefix(e.ID, e.DeliberationID+"/"), "/") // see domain.EventID
	ref := ResultRef{WorkflowID: e.DeliberationID, RunID: run}
	if e.Kind == domain.EventCompleted {
		var result Result
		if err := json.Unmarshal(e.Data, &result); err != nil {
			return nil, err
		}
		return json.Marshal(result.scoreboard(ref))
	}
	omitted := []string{}
	//workflowcheck:ignore // sorted below
	for name, member := range members {
		if len(member) > shortMember {
			omitted = append(omitted, name)
			delete(members, name)
		}
	}
	slices.Sort(omitted)
	var err error
	if members["omitted"], err = json.Marshal(omitted); err != nil {
		return nil, err
	}
	if members["result_ref"], err = json.Marshal(ref); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

func (r Result) scoreboard(ref ResultRef) ScoreboardEvent {
	return ScoreboardEvent{
		DeliberationID: r.DeliberationID, TaskID: r.TaskID, Status: r.Status, RankingBasis: r.RankingBasis, Degraded: r.Degraded,
		Scores: domain.Each(r.Results, func(result AgentResult) EventScore {
			return EventScore{Rank: result.Rank, AgentID: result.AgentID, Score: result.Score}
		}),
		TotalAgents: r.TotalAgents, CompletedAgents: r.CompletedAgents, FailedAgents: r.FailedAgents,
		AverageScore: r.AverageScore, ExecutionTimeMS: r.ExecutionTimeMS, ResultRef: ref,
	}
}
