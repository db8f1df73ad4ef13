// Package view shows one deliberation on a whole terminal while it runs. [Model] is pure: what it shows depends only on
// the messages that it got.
package view
