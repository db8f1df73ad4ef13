// Package stack lets tests use a running stack: Temporal, NATS, Ray with our app, and a model whose answers
// the tests script. `make integration` starts the stack and names its folder in STACK_HOME. Workers, models
// and deliberations belong to one test each, so that tests can share the stack.
package stack
