package main

import (
	"fmt"
	"io"
	"strings"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/workflows/contract"
)

// print shows what was read and what it means. Of secrets it only says that they are there.
func (c *config) print(out io.Writer, temporal client.Options) {
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	line("Temporal: %s, namespace %s, %s, %s", temporal.HostPort, temporal.Namespace,
		with("API key", temporal.Credentials != nil), with("TLS", temporal.ConnectionOptions.TLS != nil))
	for _, cluster := range c.RayClusters {
		line("Ray cluster %s: %s, %s", cluster.name, cluster.url, with("token", c.RayToken != ""))
	}
	line("Ray may be away: %s", c.shownGrace())
	line("Task queues: %s, %s, %s", c.TaskQueue, contract.SubmitQueue(c.TaskQueue), contract.WaitQueue(c.TaskQueue))
	line("Slots: %d to submit, %d to wait", c.SubmitSlots, c.WaitSlots)
	line("Worker versioning: %s", c.shownVersion())
	models := "every host"
	if patterns := c.allow.Patterns(); len(patterns) > 0 {
		models = strings.Join(patterns, ", ")
	}
	line("Model servers: %s, but never link-local and cloud metadata addresses", models)
	c.printEvents(line)
	line("Health and metrics: %s", c.HTTPAddr)
	line("Log: %s, %s", c.LogLevel, c.LogFormat)
	line("Missing search attributes: %s", map[bool]string{true: "registered", false: "not registered"}[c.Register])
	line("The configuration is right.")
}

func (c *config) shownGrace() string {
	if len(c.RayClusters) == 1 || c.RayGrace == 0 {
		return "until the deadline; turns stay where they are"
	}
	return c.RayGrace.String() + ", then turns go to another cluster"
}

func (c *config) printEvents(line func(format string, args ...any)) {
	if c.NATSURL == "" {
		line("Events: none (NATS_URL is not set)")
		return
	}
	line("Events: %s, prefix %s, %s, %s", withoutUsers(c.NATSURL), c.NATSPrefix,
		with("credentials", c.NATSCreds != ""), with("authorities of its own", c.NATSCA != ""))
}

func with(what string, there bool) string {
	if there {
		return "with " + what
	}
	return "without " + what
}
