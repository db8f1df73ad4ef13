// Package e2e runs deliberations on a real Temporal, Ray and NATS, and kills processes meanwhile. The tests
// of many faults at once, with what each may cost, are in package chaos.
package e2e
