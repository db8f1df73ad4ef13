package domain

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

const (
	maxURL      = 2 << 10
	urlAbsolute = "must be an absolute http or https URL"
)

// The rule for the URL of a model server. The Ray app has the same rule (deliberation_ray/model_url.py), and
// tests of both read deploy/ray/tests/url_vectors.json. If two parsers understood a URL differently, a call
// could reach another host than the one that was checked.
var (
	urlRule = regexp.MustCompile(`(?i)^https?://(\[[0-9A-F:.]+\]|[A-Z0-9_][A-Z0-9._-]*)(:[0-9]{1,5})?` +
		`(/(?:[A-Z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*)?$`)
	urlUser    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/]*@`)
	urlScheme  = regexp.MustCompile(`(?i)^https?://`)
	urlNumeric = regexp.MustCompile(`(?i)^(.*\.)?(0x[0-9a-f]*|[0-9]+)\.*$`)
)

// checkURL adds the faults of the URL of a model server. It doesn't quote a text with an @: the part before it
// may be a password.
func checkURL(path, text string, faults *Faults) {
	if strings.TrimSpace(text) == "" {
		faults.Add(path, "cannot be empty")
		return
	}
	faults.bounded(path, text, maxURL)
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		faults.Add(path, "must not contain spaces, control characters or characters beyond ASCII")
		return
	}
	if strings.ContainsAny(text, "?#") {
		faults.Add(path, "must not carry a query or fragment")
		return
	}
	if urlUser.MatchString(text) {
		if !urlScheme.MatchString(text) {
			faults.Add(path, urlAbsolute)
		}
		faults.Add(path, "must not carry a user or password")
		return
	}
	parts := urlRule.FindStringSubmatch(text)
	switch {
	case parts != nil:
		checkHostAndPort(parts[1], parts[2], path, text, faults)
	case strings.Contains(text, "@"):
		faults.Add(path, urlAbsolute)
	default:
		faults.Add(path, urlAbsolute+", got %s", Quote(text))
	}
}

func checkHostAndPort(host, port, path, text string, faults *Faults) {
	if number, _ := strconv.Atoi(strings.TrimPrefix(port, ":")); port != "" && (number < 1 || number > 65535) {
		faults.Add(path, "must have a port of 1..65535, got %s", strings.TrimPrefix(port, ":"))
	}
	address, literal := strings.CutPrefix(host, "[")
	parsed, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimRight(address, "."), "]"))
	switch {
	case literal && (err != nil || !parsed.Is6()):
		faults.Add(path, urlAbsolute+", got %s", Quote(text))
	case !literal && urlNumeric.MatchString(host) && err != nil && !forbiddenHost(host): // the allow-list refuses forbidden hosts, with a message of its own
		faults.Add(path, "must write an IPv4 address as four decimal numbers, got %s", Quote(host))
	}
}
