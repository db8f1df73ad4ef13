// Package view shows one deliberation on a whole terminal while it runs. [Model] is pure: what is shown depends only on
// the messages that it has got.
package view
