package domain

import (
	"encoding/binary"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
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

// metadataAddresses are the addresses outside of the link-local range at which clouds serve credentials.
var metadataAddresses = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"),   // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),     // Azure
	netip.MustParseAddr("192.0.0.192"),       // Oracle Cloud
	netip.MustParseAddr("fd00:ec2::254"),     // AWS
	netip.MustParseAddr("fd00:ec2::23"),      // AWS, for pods
	netip.MustParseAddr("fd20:ce::254"),      // Google Cloud
	netip.MustParseAddr("fd00:42::42"),       // Scaleway
	netip.MustParseAddr("fd00:a9fe:a9fe::1"), // Akamai (Linode)
}

// The forms of an IPv6 address that lead to an IPv4 address.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	compatible = netip.MustParsePrefix("::/96")
	translated = netip.MustParsePrefix("::ffff:0:0:0/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	teredo     = netip.MustParsePrefix("2001::/32")
)

// localNAT64 is refused as a whole: only the site that uses it knows which bits are the IPv4 address.
var localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48")

// forbiddenHost reports whether the host is an address that is never allowed. It knows every spelling that
// a resolver takes for an address: a refused address must not pass in disguise.
func forbiddenHost(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		var numeric bool
		if address, numeric = numericAddress(host); !numeric {
			return false
		}
	}
	address = leadsTo(address.WithZone("").Unmap())
	return address.IsLinkLocalUnicast() || localNAT64.Contains(address) || slices.Contains(metadataAddresses, address)
}

func leadsTo(address netip.Addr) netip.Addr {
	bytes := address.As16()
	switch {
	case address.IsLoopback() || address.IsUnspecified():
		return address // ::1 and :: lie in the range of IPv4-compatible addresses
	case nat64.Contains(address) || compatible.Contains(address) || translated.Contains(address):
		return netip.AddrFrom4([4]byte(bytes[12:]))
	case teredo.Contains(address): // the client's address has its bits inverted
		return netip.AddrFrom4([4]byte{^bytes[12], ^bytes[13], ^bytes[14], ^bytes[15]})
	case sixToFour.Contains(address):
		return netip.AddrFrom4([4]byte(bytes[2:6]))
	}
	return address
}

// numericAddress reads the IPv4 addresses that C's inet_aton understands and netip doesn't: one to four
// numbers, which may be decimal, octal or hexadecimal. The last number fills all remaining bytes.
func numericAddress(host string) (netip.Addr, bool) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	value := uint64(0)
	for i, part := range parts {
		bits := 8
		if last := i == len(parts)-1; last {
			bits = 8 * (5 - len(parts))
		}
		number, ok := numericPart(part, bits)
		if !ok {
			return netip.Addr{}, false
		}
		value = value<<bits | number
	}
	var bytes [4]byte
	binary.BigEndian.PutUint32(bytes[:], uint32(value)) // all parts together have 32 bits
	return netip.AddrFrom4(bytes), true
}

func numericPart(text string, bits int) (uint64, bool) {
	base, digits := 10, text
	if hex, prefixed := strings.CutPrefix(strings.ToLower(text), "0x"); prefixed {
		base, digits = 16, hex
	} else if len(text) > 1 && text[0] == '0' {
		base, digits = 8, text[1:]
	}
	number, err := strconv.ParseUint(digits, base, bits)
	return number, err == nil
}
