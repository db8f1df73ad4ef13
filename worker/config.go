package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"deliberation.io/deliberation/domain"
)

// config is what the worker reads from its environment, beside those of Temporal's client, TEMPORAL_*.
// docs/configuration.md lists it; a test compares both.
type config struct {
	RayClusters  clusters      `env:"DELIBERATION_RAY_CLUSTERS,required,notEmpty"`
	RayToken     string        `env:"DELIBERATION_RAY_TOKEN"`
	RayTokenFile string        `env:"DELIBERATION_RAY_TOKEN_FILE"`
	RayGrace     time.Duration `env:"DELIBERATION_RAY_GRACE" envDefault:"60s"`
	TaskQueue    string        `env:"DELIBERATION_TASK_QUEUE" envDefault:"deliberations"`
	WaitSlots    int           `env:"DELIBERATION_WAIT_SLOTS" envDefault:"10000"`
	SubmitSlots  int           `env:"DELIBERATION_SUBMIT_SLOTS" envDefault:"64"`
	VLLMAllow    []string      `env:"DELIBERATION_VLLM_ALLOW"`
	NATSURL      string        `env:"NATS_URL"`
	NATSCreds    string        `env:"NATS_CREDS"`
	NATSCA       string        `env:"NATS_CA"`
	NATSPrefix   string        `env:"DELIBERATION_NATS_PREFIX" envDefault:"deliberation"`
	HTTPAddr     string        `env:"DELIBERATION_HTTP_ADDR" envDefault:"127.0.0.1:9464"`
	LogLevel     slog.Level    `env:"DELIBERATION_LOG_LEVEL" envDefault:"INFO"`
	LogFormat    string        `env:"DELIBERATION_LOG_FORMAT" envDefault:"text"`
	Register     bool          `env:"DELIBERATION_REGISTER_SEARCH_ATTRIBUTES" envDefault:"true"`
	Deployment   string        `env:"TEMPORAL_DEPLOYMENT_NAME"`
	Build        string        `env:"TEMPORAL_WORKER_BUILD_ID"`

	allow domain.AllowList
}

// readConfig checks everything and reports all that is wrong at once. Warnings are about names that
// nothing reads: an orchestrator may inject some, so they stop nobody but --check-config.
func readConfig(environ []string) (config, []string, error) {
	variables := env.ToMap(environ)
	read, err := env.ParseAsWithOptions[config](env.Options{Environment: variables})
	found := faults{}
	var several env.AggregateError
	switch {
	case errors.As(err, &several):
		for _, each := range several.Errors {
			found.parsing(each, variables)
		}
	case err != nil:
		found.parsing(err, variables)
	}
	read.check(&found)
	return read, unknown(variables), errors.Join(found.all...)
}

// faults are what is wrong, by variable: what doesn't follow from another fault.
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

// parsing takes over the parser's fault, which knows a field where a person knows a variable.
func (f *faults) parsing(err error, variables map[string]string) {
	var unset env.VarIsNotSetError
	var empty env.EmptyVarError
	var unreadable env.ParseError
	switch {
	case errors.As(err, &unset):
		f.add(unset.Key, "is required")
	case errors.As(err, &empty):
		f.add(empty.Key, "cannot be empty")
	case errors.As(err, &unreadable):
		variable := variableOf(unreadable.Name)
		f.add(variable, "%w", wanted(unreadable, variables[variable]))
	default:
		f.all = append(f.all, err)
	}
}

// wanted says what a variable takes; the parser's words are about Go.
func wanted(unreadable env.ParseError, value string) error {
	what := ""
	switch unreadable.Type {
	case reflect.TypeFor[int]():
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

func variableOf(fieldName string) string {
	field, known := reflect.TypeFor[config]().FieldByName(fieldName)
	if !known {
		return fieldName
	}
	variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return variable
}
