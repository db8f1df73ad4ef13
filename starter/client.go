package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/tracing"
	"deliberation.io/deliberation/workflows/contract"
)

// connectWithin bounds the wait for a Temporal that doesn't answer.
const connectWithin = 5 * time.Second

// server is the connection to Temporal.
type server struct {
	runs.Reader

	address string
}

// configure reads where Temporal is, in the same way as the temporal CLI.
func (c *cli) configure() (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: c.profile})
	if err != nil {
		return options, misused("the profile comes from TEMPORAL_PROFILE or --profile, its file from TEMPORAL_CONFIG_FILE",
			"configuration of temporal: %w", err)
	}
	options.HostPort = cmp.Or(c.address, options.HostPort, client.DefaultHostPort)
	options.Namespace = cmp.Or(c.namespace, options.Namespace, client.DefaultNamespace)
	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // errors are returned, and reported once
	c.server = server{runs.Reader{Namespace: options.Namespace}, options.HostPort}
	return options, nil
}

func (c *cli) connect(ctx context.Context) (server, error) {
	options, err := c.configure()
	if err != nil {
		return server{}, err
	}
	if c.traces, err = tracing.New(ctx, "deliberation-starter", version, func(error) {}); err != nil {
		return server{}, misused("", "tracing: %w", err)
	}
	options.Interceptors = c.traces.Interceptors
	dialling, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	connected, err := client.DialContext(dialling, options)
	switch {
	case ctx.Err() != nil:
		return server{}, ctx.Err()
	case err != nil && dialling.Err() != nil:
		return server{}, unusable("temporal at %q does not answer within %s; set TEMPORAL_ADDRESS or --address",
			options.HostPort, connectWithin)
	case err != nil:
		return server{}, unusable("temporal at %q can't be used: %s; set TEMPORAL_ADDRESS or --address", options.HostPort, whyUnreached(err))
	}
	c.server.Client = connected
	return c.server, nil
}

// whyUnreached returns what a person can act on, without the words that gRPC wraps around it.
func whyUnreached(err error) string {
	why := strings.TrimPrefix(err.Error(), "failed reaching server: ")
	if described, wrapped := strings.CutPrefix(why, `connection error: desc = "`); wrapped {
		why = strings.TrimPrefix(strings.TrimSuffix(described, `"`), "transport: Error while dialing: ")
	}
	return why
}

func unusable(format string, args ...any) error {
	return &exit{code: exitTemporal, err: fmt.Errorf(format, args...)}
}

func (c *cli) disconnect(ctx context.Context) {
	if c.server.Client != nil {
		c.server.Close()
	}
	_ = c.traces.Close(ctx) // lost spans don't make the command fail
}

// taskQueueFlag adds --task-queue to a command.
func taskQueueFlag(cmd *cobra.Command, taskQueue *string) {
	byDefault := cmp.Or(os.Getenv("DELIBERATION_TASK_QUEUE"), contract.DefaultTaskQueue)
	cmd.Flags().StringVar(taskQueue, "task-queue", byDefault, "task queue of the workers; also DELIBERATION_TASK_QUEUE")
}

// warnOfMissingWorkers names the task queues that no worker polls. The deliberation is started all the same, since
// Temporal keeps it until a worker comes. If Temporal doesn't say who polls, there is no warning.
func (c *cli) warnOfMissingWorkers(ctx context.Context, taskQueue string) {
	asking, cancel := context.WithTimeout(ctx, runs.AnswersWithin)
	defer cancel()
	for _, queue := range runs.Queues(taskQueue) {
		if pollers, err := c.server.Pollers(asking, queue); err == nil && pollers == 0 {
			c.warn("no worker polls task queue %q; the deliberation waits until one does", queue.Name)
		}
	}
}

// notFound is the answer for an unknown id.
type notFound struct {
	DeliberationID string                    `json:"deliberation_id"`
	Status         domain.DeliberationStatus `json:"status"`
	Result         *contract.AgentResult     `json:"result"`
	ErrorMessage   string                    `json:"error_message"`
}

// withRun makes a command that finds the run which its argument names.
func (c *cli) withRun(do func(ctx context.Context, run runs.Run) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		run, err := c.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return do(cmd.Context(), run)
	}
}

func (c *cli) find(ctx context.Context, id string) (runs.Run, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return runs.Run{}, err
	}
	run, err := s.Find(ctx, id)
	if _, missing := errors.AsType[*runs.NotFoundError](err); missing {
		answer := notFound{DeliberationID: id, Status: domain.StatusNotFound, ErrorMessage: "Deliberation ID not found"}
		return runs.Run{}, c.refuse(answer, &exit{code: exitNotFound, err: err, hint: "starter list shows those that there are"})
	}
	return run, err
}
