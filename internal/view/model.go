// Package view shows one deliberation on a whole terminal while it runs. [Model] is pure: what it shows depends only on
// the messages that it got.
package view

import (
	"maps"
	"time"

	tea "charm.land/bubbletea/v2"

	"deliberation.io/deliberation/internal/livetext"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// Seen is the current state of the deliberation.
type Seen struct {
	View   runs.View
	Result contract.Result // the result if the run ended now
	Most   int             // the most model calls that it may make
	At     time.Time
}

// Said is what agents say next.
type Said []livetext.Piece

// Noted is a line for the person who watches. An empty one removes the previous line.
type Noted string

// Over ends the view: the run has ended, or there is an error.
type Over struct{}

// Actions are what a person can do to the run.
type Actions struct {
	Cancel  func() error
	StopNow func() error
}

type mode int

const (
	watching mode = iota
	askingToCancel
	askingToStop
	helping
)

// Model is the state of the view.
type Model struct {
	actions       Actions
	width, height int
	seen          Seen
	voices        map[string]voice  // by agent
	silents       map[string]silent // by agent
	tops          map[string]int    // the first rows of panes that the person has scrolled, by turn
	places        map[string]int    // by agent, in the current ranking
	before        map[string]int    // by agent, in the ranking after the previous review round
	reviews       int               // review rounds
	selected      int
	mode          mode
	note          string
	left          bool // the person left before the end
}

// New returns the view before anything is known.
func New(actions Actions) Model {
	return Model{actions: actions, width: 80, height: 24, voices: map[string]voice{}, tops: map[string]int{}}
}

// Left reports whether the person left the view before the run's end.
func (m Model) Left() bool { return m.left }

func (m Model) Init() tea.Cmd { return nil }

func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m = m.laidOut()
	case tea.KeyPressMsg:
		return m.press(msg.String())
	case Seen:
		m = m.see(msg).laidOut()
	case Said:
		m = m.hear(msg)
	case Noted:
		m.note = string(msg)
	case Over:
		return m, tea.Quit
	}
	return m, nil
}

func (m Model) see(seen Seen) Model {
	rounds := 0
	if seen.Result.Review != nil {
		rounds = seen.Result.Review.Rounds
	}
	if rounds != m.reviews {
		m.before, m.reviews = m.places, rounds
	}
	m.places = map[string]int{}
	for _, result := range seen.Result.Results {
		m.places[result.AgentID] = result.Rank
	}
	m.seen = seen
	m.selected = min(m.selected, max(0, len(seen.View.Agents)-1))
	return m
}

func (m Model) hear(said Said) Model {
	m.voices = maps.Clone(m.voices)
	for _, piece := range said {
		m.voices[piece.AgentID] = m.voices[piece.AgentID].hear(piece, m.paneWidth())
	}
	return m
}
