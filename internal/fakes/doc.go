// Package fakes holds what the tests of several packages share: requests, histories, attacks, and services in memory
// that stand in for Ray, NATS and visibility.
package fakes
