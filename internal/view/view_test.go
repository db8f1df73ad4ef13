package view

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/livetext"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

var update = flag.Bool("update", false, "write the golden frames")

var at = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// updated is a model after some messages.
func updated(m Model, messages ...tea.Msg) Model {
	for _, message := range messages {
		next, _ := m.Update(message)
		m = next.(Model)
	}
	return m
}

func size(width, height int) tea.Msg { return tea.WindowSizeMsg{Width: width, Height: height} }

func key(text string) tea.Msg { return tea.KeyPressMsg{Text: text, Code: rune(text[0])} }

func special(code rune) tea.Msg { return tea.KeyPressMsg{Code: code} }

// council is a deliberation whose agents review for the first time; order ranks them.
func council(rounds int, order ...int) Seen {
	seen := Seen{Most: 9, At: at}
	begun := at.Add(-12 * time.Second)
	seen.View.Status = contract.Status{DeliberationID: "deliberation-T-42", Phase: "review", Round: 1, StartedAt: &begun}
	for i := range order {
		id := fmt.Sprintf("agent-dev-%03d", i+1)
		seen.View.Agents = append(seen.View.Agents, runs.AgentView{AgentStatus: contract.AgentStatus{
			AgentID: id, Role: "DEV", State: domain.AgentSubmitted, Attempt: 1, SubmissionID: fmt.Sprintf("t%d", i+1),
		}})
		seen.Result.Candidates = append(seen.Result.Candidates, contract.Candidate{ID: "c" + id, AgentID: id})
	}
	seen.View.Agents[0].State = domain.AgentCompleted
	for rank, agent := range order {
		id := seen.View.Agents[agent-1].AgentID
		seen.Result.Results = append(seen.Result.Results, contract.AgentResult{Rank: rank + 1, AgentProposal: contract.AgentProposal{
			AgentID: id, Proposal: "Limit by " + id, Score: 0.9 - 0.1*float64(rank),
		}})
		seen.Result.Reviews = append(seen.Result.Reviews, contract.ReviewRecord{
			Round: 1, ReviewerID: id, Notes: []contract.NoteRecord{{Of: "cagent-dev-001", Score: 0.75}},
		})
	}
	seen.Result.Review = &contract.ReviewSummary{Rounds: rounds}
	seen.Result.Usage = contract.TotalUsage{PromptTokens: 300, CompletionTokens: 120, LLMCalls: 4}
	return seen
}

func said(agent, sequence, tokens int, text string) Said {
	return Said{livetext.Piece{Saying: contract.Saying{
		AgentID: fmt.Sprintf("agent-dev-%03d", agent), TurnID: domain.TurnID(fmt.Sprintf("t%d", agent)), Kind: "text",
		Sequence: sequence, Tokens: tokens, Text: text,
	}, At: at.Add(time.Duration(sequence) * time.Second)}}
}

func TestFrames(t *testing.T) {
	watched := updated(New(Actions{}), council(1, 1, 2, 3), council(2, 2, 1, 3), said(2, 1, 0, ""),
		said(2, 2, 10, "I would limit each client to ten requests a second, and answer 429 with Retry-After. "),
		said(2, 3, 30, "世界の制限は簡単です。"), said(3, 7, 3, "text from before is missing"))
	for name, m := range map[string]Model{
		"watching-80x24":  updated(watched, size(80, 24)),
		"watching-120x40": updated(watched, size(120, 40)),
		"chosen-80x24":    updated(watched, size(80, 24), special(tea.KeyTab), key("c")),
		"help-80x24":      updated(watched, size(80, 24), key("?")),
		"scrolled-30x10":  updated(watched, size(30, 10), special(tea.KeyTab), special(tea.KeyUp), special(tea.KeyUp)),
		"small-30x8":      updated(watched, size(30, 8)),
		"nothing-80x24":   updated(New(Actions{}), size(80, 24)),
	} {
		t.Run(name, func(t *testing.T) {
			frame := ansi.Strip(m.View().Content) + "\n"
			path := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(frame), 0o600))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), frame)
		})
	}
}

func TestAFrameFitsEveryTerminal(t *testing.T) {
	for agents := range 65 {
		order := make([]int, max(1, agents))
		for i := range order {
			order[i] = i + 1
		}
		m := updated(New(Actions{}), council(1, order...), said(1, 1, 1, strings.Repeat("世界 long ", 500)))
		for _, s := range [][2]int{{1, 1}, {5, 2}, {20, 3}, {80, 24}, {101, 9}, {300, 100}} {
			for _, keys := range []string{"", "?", "c"} {
				shown := updated(m, size(s[0], s[1]))
				if keys != "" {
					shown = updated(shown, key(keys))
				}
				lines := strings.Split(shown.View().Content, "\n")
				require.Len(t, lines, s[1], "%d agents on %v", agents, s)
				for _, line := range lines {
					require.LessOrEqual(t, ansi.StringWidth(line), s[0])
				}
			}
		}
	}
}

func TestTextOfModelsCannotSteerTheTerminal(t *testing.T) {
	const hostile = "a\x1b[2Jb\u009b1mc\u202ed\a\x7fe\x00f\rg"
	seen := council(1, 1, 2, 3)
	seen.View.DeliberationID, seen.View.WaitingFor, seen.View.Phase = hostile, hostile, hostile
	seen.View.Agents[0].AgentID, seen.View.Agents[1].Trouble, seen.View.Agents[0].Role = hostile, hostile, hostile
	seen.Result.Results[0].AgentID, seen.Result.Reviews[0].ReviewerID = hostile, hostile
	frame := updated(New(Actions{}), seen, said(2, 1, 1, hostile), Noted(hostile)).View().Content
	for _, own := range []string{bold, inverse, plain} {
		frame = strings.ReplaceAll(frame, own, "")
	}
	for _, r := range frame {
		require.False(t, (r < ' ' && r != '\n') || (r >= 0x7f && r < 0xa0) || r == '\u202e', "%q in %q", r, frame)
	}
}

func TestWhatEndsSomethingAsksFirst(t *testing.T) {
	done := map[string]int{}
	m := New(Actions{
		Cancel:  func() error { done["cancel"]++; return nil },
		StopNow: func() error { done["stop"]++; return errors.New("below the quorum") },
	})
	press := func(m Model, name string) (Model, tea.Msg) {
		next, command := m.Update(key(name))
		if command == nil {
			return next.(Model), nil
		}
		return next.(Model), command()
	}
	for _, keys := range []string{"cn", "sx", "yY"} {
		for _, name := range keys {
			m, _ = press(m, string(name))
		}
	}
	require.Empty(t, done)
	m, _ = press(m, "c")
	m, _ = press(m, "y")
	require.Equal(t, map[string]int{"cancel": 1}, done)
	m, _ = press(m, "s")
	m, said := press(m, "y")
	require.Equal(t, Noted("stop now: below the quorum"), said)
	require.Contains(t, updated(m, said).View().Content, "below the quorum")
}

func TestLeavingSaysSo(t *testing.T) {
	for _, pressed := range []tea.Msg{key("q"), tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}} {
		next, command := New(Actions{}).Update(pressed)
		require.True(t, next.(Model).Left())
		require.Equal(t, tea.Quit(), command())
	}
	next, _ := New(Actions{}).Update(Over{})
	require.False(t, next.(Model).Left())
}

func TestHelpIsWholeAgainOnALargerTerminal(t *testing.T) {
	m := updated(New(Actions{}), key("?"), size(5, 5))
	require.NotContains(t, m.View().Content, "leave; the deliberation goes on")
	require.Contains(t, updated(m, size(80, 24)).View().Content, "cancel the deliberation (asks first)")
}

func TestAnotherAttemptBeginsWithAnEmptyPane(t *testing.T) {
	m := updated(New(Actions{}), council(1, 1, 2), said(2, 1, 1, "the old text"))
	require.Contains(t, m.View().Content, "the old text")
	again := council(1, 1, 2)
	again.View.Agents[1].SubmissionID = "t9"
	require.NotContains(t, updated(m, again).View().Content, "the old text")
}

func TestAReviewStaysAfterItsEnd(t *testing.T) {
	reviewing := council(1, 1, 2) // the agents' status names their reviews
	review := said(2, 1, 1, "my review")
	review[0].Phase, review[0].Round = "review", 1
	m := updated(New(Actions{}), reviewing, review)
	done := council(1, 1, 2)
	done.View.Agents[1].State, done.View.Agents[1].SubmissionID = domain.AgentCompleted, "of its proposal"
	require.Contains(t, updated(m, done).View().Content, "my review")
	again := done
	again.View.Round = 2
	require.NotContains(t, updated(m, again).View().Content, "my review", "it is of another round")
	revising := council(1, 1, 2)
	revising.View.Agents[1].SubmissionID = "of its revision"
	require.NotContains(t, updated(m, done, revising).View().Content, "my review")
}

func TestANoteGoesWithTheNextKey(t *testing.T) {
	m := updated(New(Actions{}), council(1, 1, 2), Noted("stop now: below the quorum"))
	require.Contains(t, m.View().Content, "below the quorum")
	m = updated(m, special(tea.KeyTab))
	require.NotContains(t, m.View().Content, "below the quorum")
	require.Contains(t, m.View().Content, "? help")
}

// A frame must cost little: it comes with each batch of text.
func BenchmarkAFrameOf64AgentsWhoSpeak(b *testing.B) {
	order := make([]int, 64)
	for i := range order {
		order[i] = i + 1
	}
	m := updated(New(Actions{}), size(200, 80), council(1, order...))
	for agent := range 64 {
		m = updated(m, said(agent+1, 1, 1, strings.Repeat("A proposal of many words, ", 1000)))
	}
	for n := 2; b.Loop(); n++ {
		var batch Said
		for agent := range 64 {
			batch = append(batch, said(agent+1, n, n, "and some more. ")...)
		}
		m = updated(m, batch)
		_ = m.View()
	}
}
