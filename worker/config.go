package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/caarlos0/env/v11"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

// config is what the worker reads from its environment, beside Temporal's own TEMPORAL_* variables.
// docs/configuration.md lists it; a test compares both.
type config struct {
	RayClusters  clusters      `env:"DELIBERATION_RAY_CLUSTERS,required"`
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
	MetricsAddr  string        `env:"DELIBERATION_METRICS_ADDR" envDefault:"127.0.0.1:9464"`
	HealthAddr   string        `env:"DELIBERATION_HEALTH_ADDR" envDefault:"127.0.0.1:9464"`
	LogLevel     slog.Level    `env:"DELIBERATION_LOG_LEVEL" envDefault:"INFO"`
	LogFormat    string        `env:"DELIBERATION_LOG_FORMAT" envDefault:"text"`
	Register     bool          `env:"DELIBERATION_REGISTER_SEARCH_ATTRIBUTES" envDefault:"true"`

	allow domain.AllowList
}

// elsewhere are variables of the same prefix that other programs of this project read.
var elsewhere = []string{
	"DELIBERATION_VLLM_URL", "DELIBERATION_VLLM_MODEL", "DELIBERATION_VLLM_KEYS", "DELIBERATION_RUNNERS",
	"DELIBERATION_RUNNER_CAPACITY", "DELIBERATION_RUNNER_CPUS", "DELIBERATION_GATEWAY_REPLICAS",
}

// clusters is name=url,… in order of preference.
type clusters []cluster

type cluster struct{ name, url string }

// UnmarshalText reads the list.
func (c *clusters) UnmarshalText(text []byte) error {
	for item := range strings.SplitSeq(string(text), ",") {
		name, address, named := strings.Cut(strings.TrimSpace(item), "=")
		parsed, err := url.Parse(address)
		if !named || name == "" || err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
			return fmt.Errorf("want name=url,… with http or https URLs, got %s", domain.Quote(item))
		}
		if slices.ContainsFunc(*c, func(known cluster) bool { return known.name == name }) {
			return fmt.Errorf("cluster %s is named twice", domain.Quote(name))
		}
		*c = append(*c, cluster{name: name, url: strings.TrimSuffix(address, "/")})
	}
	return nil
}

// readConfig checks everything and reports all that is wrong at once. Warnings are about names that
// nothing reads: an orchestrator may inject some, so they stop nobody but --check-config.
func readConfig(environ []string) (config, []string, error) {
	variables := env.ToMap(environ)
	read, err := env.ParseAsWithOptions[config](env.Options{Environment: variables})
	var faults []error
	var several env.AggregateError
	switch {
	case errors.As(err, &several):
		faults = append(faults, several.Errors...)
	case err != nil:
		faults = append(faults, err)
	}
	faults = append(faults, read.check()...)
	return read, unknown(variables), errors.Join(faults...)
}

func (c *config) check() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.RayClusters) > 1 {
		fault("DELIBERATION_RAY_CLUSTERS: more than one cluster is not supported yet; name one")
	}
	if c.RayToken != "" && c.RayTokenFile != "" {
		fault("DELIBERATION_RAY_TOKEN: give it or DELIBERATION_RAY_TOKEN_FILE, not both")
	}
	if c.RayTokenFile != "" {
		token, err := os.ReadFile(c.RayTokenFile)
		if err != nil {
			fault("DELIBERATION_RAY_TOKEN_FILE: %w", err)
		}
		c.RayToken = strings.TrimSpace(string(token))
	}
	if c.WaitSlots < 1 || c.SubmitSlots < 1 {
		fault("DELIBERATION_WAIT_SLOTS, DELIBERATION_SUBMIT_SLOTS: must be at least 1")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		fault("DELIBERATION_LOG_FORMAT: must be text or json, got %s", domain.Quote(c.LogFormat))
	}
	if strings.TrimSpace(c.TaskQueue) == "" {
		fault("DELIBERATION_TASK_QUEUE: cannot be empty")
	}
	allow, err := domain.NewAllowList(c.VLLMAllow)
	if err != nil {
		fault("DELIBERATION_VLLM_ALLOW: %w", err)
	}
	c.allow = allow
	return faults
}

func unknown(variables map[string]string) []string {
	known := slices.Clone(elsewhere)
	params, err := env.GetFieldParams(&config{})
	if err == nil {
		for _, param := range params {
			known = append(known, param.Key)
		}
	}
	var warnings []string
	for name := range variables {
		if !strings.HasPrefix(name, "DELIBERATION_") || slices.Contains(known, name) {
			continue
		}
		nearest := slices.MinFunc(known, func(a, b string) int {
			return levenshtein.ComputeDistance(a, name) - levenshtein.ComputeDistance(b, name)
		})
		warnings = append(warnings, fmt.Sprintf("%s: unknown variable; did you mean %s?", name, nearest))
	}
	slices.Sort(warnings)
	return warnings
}

func (c config) print(out io.Writer) {
	for _, cluster := range c.RayClusters {
		fmt.Fprintf(out, "Ray cluster %s: %s\n", cluster.name, cluster.url)
	}
	fmt.Fprintf(out, "Task queues: %s, %s, %s\n",
		c.TaskQueue, workflows.SubmitQueue(c.TaskQueue), workflows.WaitQueue(c.TaskQueue))
	events := "none (NATS_URL is not set)"
	if c.NATSURL != "" {
		events = c.NATSURL
	}
	fmt.Fprintf(out, "Events: %s\n", events)
	fmt.Fprintln(out, "The configuration is right.")
}
