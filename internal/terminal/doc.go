// Package terminal writes for people who sit at a terminal: text that can't steer it, tables, colours, and
// live views that are drawn again in their place.
package terminal
