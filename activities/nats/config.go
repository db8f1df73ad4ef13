package nats

import (
	"cmp"
	"crypto/tls"
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

const defaultInbox = "_INBOX"

var domainPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Config says where NATS is, and with which credentials to connect.
type Config struct {
	URL string `env:"NATS_URL"` // one or more servers, separated by commas

	// All files are optional. They are read again at each connection.
	Creds string `env:"NATS_CREDS"` // a user's JWT and seed
	NKey  string `env:"NATS_NKEY"`  // the seed of a user's nkey
	CA    string `env:"NATS_CA"`    // PEM, the authorities to trust
	Cert  string `env:"NATS_CERT"`  // PEM, the client's certificate
	Key   string `env:"NATS_KEY"`   // PEM, its key

	InboxPrefix string `env:"NATS_INBOX_PREFIX" envDefault:"_INBOX"` // the beginning of the subjects of answers
	Domain      string `env:"NATS_JS_DOMAIN"`                        // the JetStream domain of the streams; empty: the server's own
	Prefix      string `env:"DELIBERATION_NATS_PREFIX" envDefault:"deliberation"`
	// MaxBytes bounds the events stream if we create it. 0 is no bound, or [requiredBytes] if the account needs one.
	MaxBytes int64 `env:"DELIBERATION_NATS_MAX_BYTES" envDefault:"0"`

	Client string       // the name in the server's list of connections; "deliberation" when empty
	Logger *slog.Logger // no log when nil
}

// Check returns the faults of the variables. It reads the files, and doesn't connect.
func (c Config) Check() domain.Faults {
	var found domain.Faults
	for address := range strings.SplitSeq(c.URL, ",") {
		if c.URL != "" && withoutUser(address) == "" { // not quoted: it may hold a password
			found.Add("NATS_URL", "must be nats://host:port (or tls, ws, wss), or several by commas")
			break
		}
	}
	if len(c.Prefix) > maxPrefix || !prefixPattern.MatchString(c.Prefix) {
		found.Add("DELIBERATION_NATS_PREFIX", "must be up to %d letters, digits, '-' and '_', in parts joined by dots, got %s",
			maxPrefix, domain.Quote(c.Prefix))
	}
	if c.InboxPrefix != "" && !prefixPattern.MatchString(c.InboxPrefix) {
		found.Add("NATS_INBOX_PREFIX", "must be letters, digits, '-' and '_', in parts joined by dots, got %s", domain.Quote(c.InboxPrefix))
	}
	if len(c.InboxPrefix) > maxPrefix {
		found.Add("NATS_INBOX_PREFIX", "must be at most %d characters, got %d", maxPrefix, len(c.InboxPrefix))
	}
	if c.Domain != "" && !domainPattern.MatchString(c.Domain) {
		found.Add("NATS_JS_DOMAIN", "must be letters, digits, '-' and '_', got %s", domain.Quote(c.Domain))
	}
	if c.MaxBytes < 0 {
		found.Add("DELIBERATION_NATS_MAX_BYTES", "cannot be negative, got %d", c.MaxBytes)
	}
	c.checkFiles(&found)
	return found
}

func (c Config) checkFiles(found *domain.Faults) {
	switch {
	case c.Creds != "" && c.NKey != "":
		found.Add("NATS_NKEY", "give it or NATS_CREDS, not both")
	case c.Cert != "" && c.Key == "":
		found.Add("NATS_CERT", "needs NATS_KEY too")
	case c.Cert == "" && c.Key != "":
		found.Add("NATS_KEY", "needs NATS_CERT too")
	}
	for _, file := range []struct {
		variable, path string
		read           func(path string) error
	}{
		{"NATS_CREDS", c.Creds, readCredentials},
		{"NATS_NKEY", c.NKey, readSeed},
		{"NATS_CA", c.CA, readAuthorities},
		{"NATS_CERT", c.Cert, readFile},
		{"NATS_KEY", c.Key, readFile},
	} {
		if file.path == "" {
			continue
		}
		if err := file.read(file.path); err != nil {
			found.Add(file.variable, "%s", err)
			return
		}
	}
	if c.Cert != "" && c.Key != "" {
		if _, err := tls.LoadX509KeyPair(c.Cert, c.Key); err != nil {
			found.Add("NATS_CERT", "the file and that of NATS_KEY are no certificate with its key: %s", err)
		}
	}
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
	for _, file := range []struct{ what, path string }{{"credentials", c.Creds}, {"authorities of its own", c.CA}} {
		parts = append(parts, map[bool]string{true: "with ", false: "without "}[file.path != ""]+file.what)
	}
	for _, optional := range []struct {
		set  bool
		what string
	}{
		{c.NKey != "", "with nkey"},
		{c.Cert != "", "with client certificate"},
		{c.InboxPrefix != defaultInbox, "answers to " + c.InboxPrefix},
		{c.Domain != "", "JetStream domain " + c.Domain},
		{c.MaxBytes > 0, fmt.Sprintf("events stream of at most %d bytes", c.MaxBytes)},
	} {
		if optional.set {
			parts = append(parts, optional.what)
		}
	}
	return strings.Join(parts, ", ")
}

// completed returns the configuration with its defaults, and the options of a connection.
func (c Config) completed() (Config, []natsgo.Option, error) {
	c.Prefix, c.Client = cmp.Or(c.Prefix, DefaultPrefix), cmp.Or(c.Client, "deliberation")
	c.InboxPrefix = cmp.Or(c.InboxPrefix, defaultInbox)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if found := c.Check(); len(found) > 0 {
		return c, nil, fmt.Errorf("nats: %w", found)
	}
	options, err := c.options()
	return c, options, err
}

// maxPrefix keeps the longest subject, and the subject of its answer, under a server's max_control_line of 4 KiB: a
// deliberation's id has at most 1,000 bytes, an agent's 200, and encoding triples them.
const maxPrefix = 200

// maxSubject is the longest subject that a server with that limit takes. It ends the connection at a longer one, which
// other events need too.
const maxSubject = 4096 - (maxPrefix + 32) - 30 // the subject of the answer; sizes and marks

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// schemes are the URL schemes that the client understands. It ignores any other.
var schemes = []string{"nats", "tls", "ws", "wss"}

// withoutUser returns a server's address without the user, which may be a token. It returns "" if the client can't use
// the address.
func withoutUser(address string) string {
	address = strings.TrimSpace(address)
	if !strings.Contains(address, "://") {
		address = "nats://" + address // the client's default
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

// readCredentials reads the file in the same way as the client does at each connection.
func readCredentials(path string) error {
	if err := readFile(path); err != nil {
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

func readSeed(path string) error {
	if err := readFile(path); err != nil {
		return err
	}
	if _, err := natsgo.NkeyOptionFromSeed(path); err != nil {
		return errors.New("the file holds no seed of a user's nkey: it begins with SU, as nk -gen user writes it")
	}
	return nil
}

func readFile(path string) error {
	_, err := os.ReadFile(path)
	return err
}
