// Package contract is what a client of the service imports: the names of workflows, queries and search
// attributes, the JSON payloads with their one mapping to the domain, and [Start].
//
// It imports no workflow code. Names and payloads travel in histories: append only.
package contract
