package main

import (
	"errors"
	"log/slog"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
)

const httpVariable = "DELIBERATION_HTTP_ADDR"

// config is what the worker reads from its environment, apart from the variables of Temporal's client.
// docs/configuration.md lists it; a test compares both.
type config struct {
	Ray         rays
	TaskQueue   string   `env:"DELIBERATION_TASK_QUEUE" envDefault:"deliberations"`
	WaitSlots   int      `env:"DELIBERATION_WAIT_SLOTS" envDefault:"10000"`
	SubmitSlots int      `env:"DELIBERATION_SUBMIT_SLOTS" envDefault:"64"`
	VLLMAllow   []string `env:"DELIBERATION_VLLM_ALLOW"`
	Prices      []string `env:"DELIBERATION_PRICES"`
	NATS        nats.Config
	HTTPAddr    string     `env:"DELIBERATION_HTTP_ADDR" envDefault:"127.0.0.1:9464"`
	LogLevel    slog.Level `env:"DELIBERATION_LOG_LEVEL" envDefault:"INFO"`
	LogFormat   string     `env:"DELIBERATION_LOG_FORMAT" envDefault:"text"`
	Register    bool       `env:"DELIBERATION_REGISTER_SEARCH_ATTRIBUTES" envDefault:"true"`
	Build       build

	allow  domain.AllowList
	prices domain.Prices
}

// readConfig checks everything and reports all faults together. Warnings name variables that nothing reads. Since an
// orchestrator may inject such variables, only --check-config fails because of them.
func readConfig(environ []string) (config, []string, error) {
	values, variables := env.ToMap(environ), variablesOf(reflect.TypeFor[config]())
	read, err := env.ParseAsWithOptions[config](env.Options{Environment: values})
	found := faults{}
	switch several, are := errors.AsType[env.AggregateError](err); {
	case are:
		for _, fault := range several.Errors {
			found.addParsing(fault, variables, values)
		}
	case err != nil:
		found.addParsing(err, variables, values)
	}
	read.check(&found)
	return read, unknown(values, slices.Collect(maps.Values(variables))), errors.Join(found.all...)
}

func (c *config) check(found *faults) {
	for i := range c.VLLMAllow { // the Ray app reads the same variable in the same way
		c.VLLMAllow[i] = strings.TrimSpace(c.VLLMAllow[i])
	}
	allow, err := domain.NewAllowList(c.VLLMAllow)
	if err != nil {
		found.add("DELIBERATION_VLLM_ALLOW", "%w", err)
	}
	c.allow = allow
	if c.prices, err = domain.ReadPrices(c.Prices); err != nil {
		found.add("DELIBERATION_PRICES", "%w", err)
	}
	if strings.TrimSpace(c.TaskQueue) == "" {
		found.add("DELIBERATION_TASK_QUEUE", "cannot be empty")
	}
	if c.WaitSlots < 1 {
		found.add("DELIBERATION_WAIT_SLOTS", "must be at least 1, got %d", c.WaitSlots)
	}
	if c.SubmitSlots < 1 {
		found.add("DELIBERATION_SUBMIT_SLOTS", "must be at least 1, got %d", c.SubmitSlots)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		found.add("DELIBERATION_LOG_FORMAT", "must be text or json, got %s", domain.Quote(c.LogFormat))
	}
	if !hostPort(c.HTTPAddr) {
		found.add(httpVariable, "must be host:port, got %s", domain.Quote(c.HTTPAddr))
	}
	c.Ray.check(found)
	for _, fault := range c.NATS.Check() {
		found.add(fault.Path, "%s", fault.Rule)
	}
	c.Build.check(found)
}

func hostPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
