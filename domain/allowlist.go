package domain

import (
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
)

// AllowList says which model servers a request may name. Link-local and cloud metadata addresses are
// never allowed; the zero value allows every other host. Names are only compared here: the address
// that a name stands for is checked where the connection is made, in the runner.
type AllowList struct{ patterns []string }

// NewAllowList takes host[:port] patterns. In a pattern `*` matches any text within the host or the
// port, `?` one character; an IPv6 host stands in brackets; without a port it matches every port.
func NewAllowList(patterns []string) (AllowList, error) {
	var faults Faults
	for _, pattern := range patterns {
		if !validPattern(pattern) {
			faults.Add(Quote(pattern), "must be a host or host:port pattern, an IPv6 address in brackets")
		}
	}
	// Faulty patterns stay in: a list without them could be empty, and that allows every host.
	return AllowList{patterns: slices.Clone(patterns)}, faults.OrNil()
}

// Patterns are the list's own; none means every host.
func (l AllowList) Patterns() []string { return slices.Clone(l.patterns) }

// Check returns what speaks against the URL; empty when nothing does.
func (l AllowList) Check(rawURL string) string {
	parsed, err := url.Parse(rawURL)
	if err != nil {
		return "is not a URL"
	}
	host := strings.TrimRight(strings.ToLower(parsed.Hostname()), ".") // a resolver drops the root's dot
	if forbiddenHost(host) {
		return "names a link-local or cloud metadata address, which is never allowed"
	}
	if len(l.patterns) == 0 {
		return ""
	}
	port := parsed.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[parsed.Scheme]
	}
	for _, pattern := range l.patterns {
		if matchesPattern(strings.ToLower(pattern), host, port) {
			return ""
		}
	}
	return "is outside the allow-list (DELIBERATION_VLLM_ALLOW)"
}

// splitPattern parts a pattern at its port; the host of an IPv6 pattern keeps its brackets.
func splitPattern(pattern string) (host, port string, hasPort bool) {
	colon := strings.LastIndexByte(pattern, ':')
	if colon < 0 || colon < strings.LastIndexByte(pattern, ']') {
		return pattern, "", false
	}
	return pattern[:colon], pattern[colon+1:], true
}

func validPattern(pattern string) bool {
	host, port, hasPort := splitPattern(pattern)
	if host == "" || strings.ContainsAny(pattern, "/\\@ \t\r\n") {
		return false
	}
	if strings.ContainsAny(host, ":[]") && !bracketed(host) {
		return false
	}
	return !hasPort || (port != "" && strings.Trim(port, "0123456789*?") == "")
}

func bracketed(host string) bool {
	inside, open := strings.CutPrefix(host, "[")
	inside, closed := strings.CutSuffix(inside, "]")
	return open && closed && strings.Contains(inside, ":") && !strings.ContainsAny(inside, "[]")
}

func matchesPattern(pattern, host, port string) bool {
	subject := host
	if strings.Contains(host, ":") {
		subject = "[" + host + "]"
	}
	if _, _, hasPort := splitPattern(pattern); hasPort {
		subject = net.JoinHostPort(host, port)
	}
	// path.Match reads [ as a class of characters; here it only opens an IPv6 address.
	matched, err := path.Match(strings.ReplaceAll(pattern, "[", `\[`), subject)
	return err == nil && matched
}
