package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/suggest"
	"deliberation.io/deliberation/workflows/contract"
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

// variablesOf returns the environment variable of each field of a configuration. Field names are unique in it.
func variablesOf(configuration reflect.Type) map[string]string {
	variables := map[string]string{}
	for field := range configuration.Fields() {
		variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		switch {
		case variable != "":
			variables[field.Name] = variable
		case field.IsExported() && field.Type.Kind() == reflect.Struct:
			maps.Copy(variables, variablesOf(field.Type))
		}
	}
	return variables
}

// print shows the configuration. Of a secret it shows only whether there is one.
func (c *config) print(out io.Writer, temporal client.Options) {
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	line("Temporal: %s, namespace %s, %s, %s", temporal.HostPort, temporal.Namespace,
		with("API key", temporal.Credentials != nil), with("TLS", temporal.ConnectionOptions.TLS != nil))
	for _, cluster := range c.Ray.Clusters {
		line("Ray cluster %s: %s, %s", cluster.Name, cluster.URL, with("token", c.Ray.Token != ""))
	}
	line("Ray may be away: %s", c.shownGrace())
	line("Task queues: %s, %s, %s", c.TaskQueue, contract.SubmitQueue(c.TaskQueue), contract.WaitQueue(c.TaskQueue))
	line("Slots: %d to submit, %d to wait", c.SubmitSlots, c.WaitSlots)
	line("Worker versioning: %s", c.Build)
	models := "every host"
	if patterns := c.allow.Patterns(); len(patterns) > 0 {
		models = strings.Join(patterns, ", ")
	}
	line("Model servers: %s, but never link-local and cloud metadata addresses", models)
	if len(c.prices) > 0 {
		line("Prices: %s", strings.Join(c.Prices, ", "))
	}
	line("Events: %s", c.NATS)
	line("Health and metrics: %s", c.HTTPAddr)
	line("Log: %s, %s", c.LogLevel, c.LogFormat)
	line("Missing search attributes: %s", map[bool]string{true: "registered", false: "not registered"}[c.Register])
	line("The configuration is right.")
}

func (c *config) shownGrace() string {
	if len(c.Ray.Clusters) == 1 || c.Ray.Grace == 0 {
		return "until the deadline; turns stay where they are"
	}
	return c.Ray.Grace.String() + ", then turns go to another cluster"
}

func with(what string, there bool) string {
	if there {
		return "with " + what
	}
	return "without " + what
}

// ours is the prefix of this project's variables.
const ours = "DELIBERATION_"

// others lists the variables with this prefix that other programs of the project read, since all programs may get the
// same environment. docs/configuration.md lists them too, and a test compares both.
var others = []string{
	"DELIBERATION_VLLM_URL", "DELIBERATION_VLLM_MODEL", "DELIBERATION_VLLM_KEYS", "DELIBERATION_RUNNERS",
	"DELIBERATION_STREAM_NATS_URL", "DELIBERATION_STREAM_NATS_CREDS", "DELIBERATION_STREAM_NATS_CREDS_FILE", "DELIBERATION_STREAM_NATS_CA_FILE",
	"DELIBERATION_RUNNER_CAPACITY", "DELIBERATION_RUNNER_MEMORY_BYTES", "DELIBERATION_MODEL_CONCURRENCY", "DELIBERATION_MODEL_WAITING",
	"DELIBERATION_MODEL_SILENCE_SECONDS", "DELIBERATION_MODEL_FIRST_TOKEN_SHARE",
	"DELIBERATION_RUNNER_OPTIONS", "DELIBERATION_RAY_OPEN", "DELIBERATION_VLLM_KEYS_FILE", "DELIBERATION_VLLM_REFUSE_OWN", "DELIBERATION_GATEWAY_REPLICAS",
	"DELIBERATION_GATEWAY_CPUS", "DELIBERATION_GATEWAY_QUEUE", "DELIBERATION_GATEWAY_WAITS",
	"DELIBERATION_MAX_BODY_BYTES",
}

// unknown returns a warning for each variable with our prefix that nothing reads. The worker reads those in known.
func unknown(values map[string]string, known []string) []string {
	known = slices.Concat(known, others)
	slices.Sort(known) // if two names are equally near, the same one is suggested each time
	var warnings []string
	for name := range values {
		if strings.HasPrefix(name, ours) && !slices.Contains(known, name) {
			warnings = append(warnings, name+": unknown variable"+suggest.For(name, ours, known))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// faults collects one fault for each variable: its first fault may have caused the others.
type faults struct {
	all   []error
	about map[string]bool
}

func (f *faults) add(variable, format string, args ...any) {
	if f.about[variable] {
		return
	}
	if f.about == nil {
		f.about = map[string]bool{}
	}
	f.about[variable] = true
	f.all = append(f.all, fmt.Errorf("%s: %w", variable, fmt.Errorf(format, args...)))
}

// addParsing adds a fault of the parser, which names a Go field. The map variables has the variable of each field.
func (f *faults) addParsing(err error, variables, values map[string]string) {
	var unset env.VarIsNotSetError
	var empty env.EmptyVarError
	var unreadable env.ParseError
	switch {
	case errors.As(err, &unset):
		f.add(unset.Key, "is required")
	case errors.As(err, &empty):
		f.add(empty.Key, "cannot be empty")
	case errors.As(err, &unreadable):
		variable := variables[unreadable.Name]
		f.add(variable, "%w", wanted(unreadable, values[variable]))
	default:
		f.all = append(f.all, err)
	}
}

// wanted says which values a variable takes. The parser's own message names types of Go.
func wanted(unreadable env.ParseError, value string) error {
	what := ""
	switch unreadable.Type {
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		what = "a whole number"
	case reflect.TypeFor[bool]():
		what = "true or false"
	case reflect.TypeFor[time.Duration]():
		what = "a time with its unit, for example 60s"
	case reflect.TypeFor[slog.Level]():
		what = "DEBUG, INFO, WARN or ERROR"
	default:
		return unreadable.Err
	}
	return fmt.Errorf("must be %s, got %s", what, domain.Quote(value))
}
