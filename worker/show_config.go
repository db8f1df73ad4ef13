package main

import (
	"fmt"
	"io"
	"strings"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/workflows/contract"
)

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
