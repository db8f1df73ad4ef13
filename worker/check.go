package main

import (
	"net"
	"os"
	"strconv"
	"strings"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

func (c *config) check(found *faults) {
	for i := range c.VLLMAllow { // as the Ray app reads it, which has the same variable
		c.VLLMAllow[i] = strings.TrimSpace(c.VLLMAllow[i])
	}
	allow, err := domain.NewAllowList(c.VLLMAllow)
	if err != nil {
		found.add("DELIBERATION_VLLM_ALLOW", "%w", err)
	}
	c.allow = allow
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
	c.checkRay(found)
	c.checkNATS(found)
	c.checkVersion(found)
}

func (c *config) checkRay(found *faults) {
	if c.RayGrace < 0 {
		found.add("DELIBERATION_RAY_GRACE", "cannot be negative, got %s", c.RayGrace)
	}
	if c.RayToken != "" && c.RayTokenFile != "" {
		found.add("DELIBERATION_RAY_TOKEN", "give it or DELIBERATION_RAY_TOKEN_FILE, not both")
		return
	}
	source := "DELIBERATION_RAY_TOKEN"
	if c.RayTokenFile != "" {
		source = "DELIBERATION_RAY_TOKEN_FILE"
		token, err := os.ReadFile(c.RayTokenFile)
		c.RayToken = strings.TrimSpace(string(token))
		switch {
		case err != nil:
			found.add(source, "%w", err)
		case c.RayToken == "": // rather than asking without one
			found.add(source, "the file %s is empty", domain.Quote(c.RayTokenFile))
		}
	}
	for _, cluster := range c.RayClusters {
		if _, err := ray.New(ray.Config{Name: cluster.name, URL: cluster.url}); err != nil {
			found.add("DELIBERATION_RAY_CLUSTERS", "%w", err)
		} else if _, err := ray.New(c.rayConfig(cluster)); err != nil {
			found.add(source, "%w", err)
		}
	}
}

func (c *config) rayConfig(of cluster) ray.Config {
	return ray.Config{Name: of.name, URL: of.url, Token: c.RayToken, MaxIdleConnections: c.WaitSlots}
}

func hostPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && isPort(port)
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}
