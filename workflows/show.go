package workflows

import (
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

// Phases that people see while no phase of the council runs.
const (
	phaseOpening  = "opening"
	phaseQueued   = "queued"
	phaseStopping = "stopping"
	phaseDone     = "done"
)

// shown is what people see of a run. Control flow must not read it.
type shown struct {
	status     domain.DeliberationStatus
	phase      string
	round      int
	waitingFor string
	refusal    string // the latest one while the council waits for room
	onRay      bool   // Ray has accepted the council
	closed     time.Time
	best       *contract.AgentResult
	failure    string
}

func (s *shown) refused(cluster, why string) {
	s.refusal = cluster + ": " + why
	s.waitingFor = s.refusal
}

func (s *shown) accepted() { s.waitingFor, s.onRay = "", true }

func (s *shown) close(status domain.DeliberationStatus, at time.Time) {
	s.status, s.phase, s.waitingFor, s.closed = status, phaseDone, "", at
}

// showOpening writes memo and search attributes for the first time. There are only two such writes, since
// each adds events to the history.
func (d *deliberation) showOpening(ctx workflow.Context) error {
	d.showPhase(ctx, phaseQueued)
	if err := workflow.UpsertMemo(ctx, contract.OpeningMemo(d.request())); err != nil {
		return err
	}
	c := d.request().Constraints()
	return d.upsert(ctx, contract.AttributeRole.ValueSet(keyword(d.request().Role())), contract.AttributeTaskID.ValueSet(keyword(d.request().TaskID())),
		contract.AttributeStoryID.ValueSet(keyword(c.StoryID())), contract.AttributePlanID.ValueSet(keyword(c.PlanID())))
}

// keyword removes what PostgreSQL can't store: Temporal would try to write the run into visibility again and again, and
// other runs would wait after it.
func keyword(value string) string { return strings.ReplaceAll(value, "\x00", "") }

// showEnd writes memo and search attributes for the second time.
func (d *deliberation) showEnd(ctx workflow.Context, failure error) error {
	d.showCouncil(ctx)
	memo := map[string]any{contract.MemoOutcome: string(d.shown.status), contract.MemoExecutionTime: d.executionTime().Milliseconds()}
	if usage := contract.TotalUsageOf(d.council, nil).Phases(); len(usage) > 0 {
		memo[contract.MemoUsageByPhase] = usage
	}
	var updates []temporal.SearchAttributeUpdate
	if d.shown.best != nil {
		memo[contract.MemoBest], memo[contract.MemoScore] = d.shown.best.AgentID, d.shown.best.Score
		updates = append(updates, contract.AttributeScore.ValueSet(d.shown.best.Score))
	}
	if failure != nil {
		memo[contract.MemoError], _ = domain.CutEncoded(d.shown.failure, domain.MaxName)
	}
	if err := workflow.UpsertMemo(ctx, memo); err != nil {
		return err
	}
	return d.upsert(ctx, updates...)
}

// showRefusal writes only the outcome and the reason, for lists: the rest of a refused request may be wrong.
func (d *deliberation) showRefusal(ctx workflow.Context) error {
	why, _ := domain.CutEncoded(d.shown.failure, domain.MaxName)
	return workflow.UpsertMemo(ctx, map[string]any{contract.MemoOutcome: string(d.shown.status), contract.MemoError: why})
}

// upsert writes search attributes, without those that the namespace doesn't have.
func (d *deliberation) upsert(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) error {
	keys := contract.Attributes()
	present := temporal.NewSearchAttributes(updates...)
	known := make([]temporal.SearchAttributeUpdate, 0, len(updates))
	for _, key := range keys {
		if !slices.Contains(d.opening.Attributes, key.GetName()) {
			continue
		}
		switch typed := key.(type) {
		case temporal.SearchAttributeKeyKeyword:
			if value, set := present.GetKeyword(typed); set {
				known = append(known, typed.ValueSet(value))
			}
		case temporal.SearchAttributeKeyFloat64:
			if value, set := present.GetFloat64(typed); set {
				known = append(known, typed.ValueSet(value))
			}
		}
	}
	if len(known) == 0 {
		return nil
	}
	return workflow.UpsertTypedSearchAttributes(ctx, known...)
}

// show shows a phase of the council.
func (d *deliberation) show(ctx workflow.Context, phase domain.Phase) {
	d.shown.round = phase.Round
	d.showPhase(ctx, string(phase.Kind))
}

// showPhase shows a phase by its name.
func (d *deliberation) showPhase(ctx workflow.Context, phase string) {
	d.shown.phase = phase
	d.showCouncil(ctx)
}

// inline makes a value harmless in the markdown of a page: words of a model server must not become a link, an image,
// HTML or another cell, and must not reverse what follows them.
func inline(text string) string { return untrusted.Markdown(text) }
