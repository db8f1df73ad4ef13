package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/workflows"
)

// documented is the table under a heading of docs/configuration.md: defaults by variable.
func documented(t *testing.T, heading string) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	defaults := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\| [^|]+ \\|$").FindAllStringSubmatch(section, -1) {
		require.NotContains(t, defaults, row[1])
		defaults[row[1]] = row[2]
	}
	require.Len(t, defaults, strings.Count(section, "\n| `"), "a row that isn't of three columns")
	return defaults
}

func TestConfigurationPage_ListsWhatTheWorkerReads(t *testing.T) {
	params, err := env.GetFieldParams(&config{})
	require.NoError(t, err)
	read := map[string]string{}
	for _, param := range params {
		switch {
		case param.Required:
			read[param.Key] = "required"
		case param.HasDefaultValue:
			read[param.Key] = "`" + param.DefaultValue + "`"
		default:
			read[param.Key] = "none"
		}
	}
	read["DELIBERATION_VLLM_ALLOW"] = "every host" // no pattern is no bound

	require.Equal(t, read, documented(t, "Worker"))
}

func TestConfigurationPage_ListsWhatTheRayAppReads(t *testing.T) {
	source, err := os.ReadFile("../deploy/ray/deliberation_ray/settings.py")
	require.NoError(t, err)
	table := documented(t, "Ray app")
	// A field of the settings is `name: type = default`, the first level within the class.
	fields := regexp.MustCompile(`(?m)^    ([a-z_]+): .+ = (.+)$`).FindAllStringSubmatch(string(source), -1)
	secrets := []string{"DELIBERATION_RAY_TOKEN", "DELIBERATION_VLLM_KEYS", "DELIBERATION_STREAM_NATS_CREDS"} // no settings: only their names travel
	require.Len(t, fields, len(table)-len(secrets))
	number := regexp.MustCompile(`default=([0-9_.* ]+),`)
	for _, field := range fields {
		variable := ours + strings.ToUpper(field[1])
		require.Contains(t, table, variable)
		given := number.FindStringSubmatch(field[2])
		if len(given) > 0 && !strings.Contains(given[1], "*") {
			require.Equal(t, "`"+strings.ReplaceAll(given[1], "_", "")+"`", table[variable], variable)
		}
	}
}

func TestConfigurationPage_ListsThePortsOfTheLocalStack(t *testing.T) {
	source, err := os.ReadFile("../deploy/dev/stack/ports.py")
	require.NoError(t, err)
	table := documented(t, "Local stack")
	ports := regexp.MustCompile(`"(\w+)": \("\w+", (\d+)\)`).FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, ports)
	for _, port := range ports {
		variable := strings.ToUpper(port[1]) + "_PORT"
		require.Equal(t, "`"+port[2]+"`", table[variable], variable)
	}
}

// A variable that another program reads is nothing to warn of.
func TestOthers_AreWhatTheOtherProgramsRead(t *testing.T) {
	worker := documented(t, "Worker")
	var documentedOthers []string
	for _, heading := range []string{"Ray app", "Starter"} {
		for variable := range documented(t, heading) {
			if _, both := worker[variable]; !both && strings.HasPrefix(variable, ours) {
				documentedOthers = append(documentedOthers, variable)
			}
		}
	}
	slices.Sort(documentedOthers)

	require.Equal(t, documentedOthers, slices.Sorted(slices.Values(others)))
}

func TestDocs_NameEveryMetric(t *testing.T) {
	text, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	for _, name := range []string{
		workflows.MetricDeliberations, workflows.MetricDeliberationDuration, workflows.MetricTurns, workflows.MetricTurnDuration,
		workflows.MetricTokens, workflows.MetricWastedTokens, workflows.MetricDeferredEvents, workflows.MetricStatsCountedAt,
		activities.MetricEvents, activities.MetricRayLatency, activities.MetricFirstToken,
		metricSayings,
	} {
		require.Regexp(t, "`"+name+"(_seconds)?`", string(text))
	}
}

func TestRunbook_HasEveryAlert(t *testing.T) {
	rules, err := os.ReadFile("../deploy/prometheus/rules.yaml")
	require.NoError(t, err)
	page, err := os.ReadFile("../docs/runbook.md")
	require.NoError(t, err)
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1)
	require.NotEmpty(t, alerts)
	headings := strings.Join(regexp.MustCompile(`(?m)^## .+$`).FindAllString(string(page), -1), " ")
	for _, alert := range alerts {
		require.Regexp(t, `\b`+alert[1]+`\b`, headings)
	}
}
