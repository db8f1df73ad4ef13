package domain

import (
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
)

// AllowList says which model servers a request may name. Link-local and cloud metadata addresses are
// never allowed; the zero value allows every other host. Host names are only compared here. The runner
// checks the address of a name when it connects.
type AllowList struct{ patterns []string }

// NewAllowList takes host[:port] patterns. In a pattern `*` matches any text within the host or the
// port, and `?` one character. An IPv6 host is in brackets. A pattern without a port matches every port.
func NewAllowList(patterns []string) (AllowList, error) {
	var faults Faults
	for _, pattern := range patterns {
		if !validPattern(pattern) {
			faults.Add(Quote(pattern), "must be a host or host:port pattern, an IPv6 address in brackets")
		}
	}
	// Faulty patterns stay in the list: without them it could be empty, and an empty list allows every host.
	return AllowList{patterns: slices.Clone(patterns)}, faults.OrNil()
}

// Patterns returns the list's patterns; none means every host.
func (l AllowList) Patterns() []string { return slices.Clone(l.patterns) }

// Check returns why the URL isn't allowed; empty when it is.
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

// splitPattern splits host and port of a pattern; the host of an IPv6 pattern keeps its brackets.
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
