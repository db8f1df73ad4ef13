package nats

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	natsgo "github.com/nats-io/nats.go"

	"deliberation.io/deliberation/domain"
)

// DefaultPrefix begins the subjects and, in upper case, the names of the streams.
const DefaultPrefix = "deliberation"

// Config says where NATS is, and who we are to it.
type Config struct {
	URL    string `env:"NATS_URL"`   // one or more servers, separated by commas
	Creds  string `env:"NATS_CREDS"` // a .creds file, read again at each connection; optional
	CA     string `env:"NATS_CA"`    // a PEM file with the authorities to trust; optional
	Prefix string `env:"DELIBERATION_NATS_PREFIX" envDefault:"deliberation"`

	Client string       // the name in the server's list of connections; "deliberation" when empty
	Logger *slog.Logger // silence when nil
}

// Check returns what is wrong, by variable. It reads the files and connects to nothing.
func (c Config) Check() domain.Faults {
	var found domain.Faults
	for address := range strings.SplitSeq(c.URL, ",") {
		if c.URL != "" && withoutUser(address) == "" {
			// Not quoted: it may hold a password.
			found.Add("NATS_URL", "must be nats://host:port (or tls, ws, wss), or several by commas")
			break
		}
	}
	if err := checkPrefix(c.Prefix); err != nil {
		found.Add("DELIBERATION_NATS_PREFIX", "%s, got %s", err, domain.Quote(c.Prefix))
	}
	for _, file := range []struct {
		variable, path string
		read           func(path string) error
	}{
		{"NATS_CREDS", c.Creds, readCredentials},
		{"NATS_CA", c.CA, readAuthorities},
	} {
		if file.path == "" {
			continue
		}
		if err := file.read(file.path); err != nil {
			found.Add(file.variable, "%s", err)
		}
	}
	return found
}

// String describes the configuration without its secrets.
func (c Config) String() string {
	if c.URL == "" {
		return "none (NATS_URL is not set)"
	}
	var servers []string
	for address := range strings.SplitSeq(c.URL, ",") {
		servers = append(servers, withoutUser(address))
	}
	parts := []string{strings.Join(servers, ","), "prefix " + c.Prefix}
	for _, optional := range []struct{ what, value string }{{"credentials", c.Creds}, {"authorities of its own", c.CA}} {
		parts = append(parts, map[bool]string{true: "with ", false: "without "}[optional.value != ""]+optional.what)
	}
	return strings.Join(parts, ", ")
}

func (c Config) completed() (Config, error) {
	c.Prefix, c.Client = cmp.Or(c.Prefix, DefaultPrefix), cmp.Or(c.Client, "deliberation")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := checkPrefix(c.Prefix); err != nil {
		return c, fmt.Errorf("nats: prefix %q: %w", c.Prefix, err)
	}
	return c, nil
}

// maxPrefix keeps the longest subject under a server's max_control_line of 4 KiB: a deliberation's id has at most 1,000
// bytes, an agent's 200, and encoding triples them.
const maxPrefix = 200

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func checkPrefix(prefix string) error {
	if len(prefix) > maxPrefix || !prefixPattern.MatchString(prefix) {
		return fmt.Errorf("must be up to %d letters, digits, '-' and '_', in parts joined by dots", maxPrefix)
	}
	return nil
}

// schemes are those that the client speaks. It ignores any other.
var schemes = []string{"nats", "tls", "ws", "wss"}

// withoutUser returns a server's address as it may be shown: a user may be a token. It is empty when the client can't
// use the address.
func withoutUser(address string) string {
	address = strings.TrimSpace(address)
	if !strings.Contains(address, "://") {
		address = "nats://" + address // as the client reads it
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Hostname() == "" || !slices.Contains(schemes, parsed.Scheme) {
		return ""
	}
	_, badPort := strconv.ParseUint(cmp.Or(parsed.Port(), "0"), 10, 16)
	bareIPv6 := strings.Contains(parsed.Hostname(), ":") && !strings.Contains(parsed.Host, "[")
	if badPort != nil || bareIPv6 {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}

// readCredentials reads the file as the client does at each connection.
func readCredentials(path string) error {
	if _, err := os.ReadFile(path); err != nil {
		return err
	}
	var options natsgo.Options
	if err := natsgo.UserCredentials(path)(&options); err != nil {
		return err
	}
	jwt, err := options.UserJWT()
	if err == nil {
		_, err = options.SignatureCB(nil)
	}
	if err != nil || strings.Count(jwt, ".") != 2 {
		return errors.New("the file holds no credentials: it takes a user's JWT and its seed, as nsc writes them")
	}
	return nil
}

func readAuthorities(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return errors.New("the file holds no certificate in PEM")
	}
	return nil
}
