// Package searchattributes finds out which of the service's search attributes a namespace has, and
// registers the others.
package searchattributes
