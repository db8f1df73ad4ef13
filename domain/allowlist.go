package domain

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
)

// metadataAddresses are where clouds serve credentials beside the link-local range.
var metadataAddresses = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("fd00:ec2::254"),
}

// AllowList says which model servers a request may name. Link-local and cloud metadata addresses are
// never allowed; the zero value allows every other host. Names are only compared here: the address
// that a name stands for is checked where the connection is made, in the runner.
type AllowList struct{ patterns []string }

// NewAllowList takes host[:port] patterns; `*` matches within a name.
func NewAllowList(patterns []string) (AllowList, error) {
	var faults Faults
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || strings.Contains(pattern, "/") {
			faults.Add(Quote(pattern), "must be a host or host:port pattern")
		}
	}
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
	host := strings.ToLower(parsed.Hostname())
	if address, err := netip.ParseAddr(host); err == nil && forbidden(address) {
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
		subject := host
		if _, _, err := net.SplitHostPort(pattern); err == nil {
			subject = net.JoinHostPort(host, port)
		}
		if matched, err := path.Match(strings.ToLower(pattern), subject); err == nil && matched {
			return ""
		}
	}
	return "is outside the allow-list (DELIBERATION_VLLM_ALLOW)"
}

func forbidden(address netip.Addr) bool {
	address = address.Unmap()
	return address.IsLinkLocalUnicast() || address.IsUnspecified() || slices.Contains(metadataAddresses, address)
}
