// Package terminal writes for people at a terminal: text that can't steer it, tables, colours, and live blocks that are
// redrawn in place.
package terminal
