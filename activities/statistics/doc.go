// Package statistics counts deliberations from visibility, and keeps the workflow running that asks for the counts.
package statistics
