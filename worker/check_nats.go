package main

import (
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"

	natsgo "github.com/nats-io/nats.go"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
)

// natsSchemes are those that the client speaks; of any other it would take no notice.
var natsSchemes = []string{"nats", "tls", "ws", "wss"}

func (c *config) checkNATS(found *faults) {
	for address := range strings.SplitSeq(c.NATSURL, ",") {
		if c.NATSURL != "" && withoutUser(address) == "" {
			// Not quoted: it may hold a password.
			found.add("NATS_URL", "must be nats://host:port (or tls, ws, wss), or several by commas")
		}
	}
	if err := nats.CheckPrefix(c.NATSPrefix); err != nil {
		found.add("DELIBERATION_NATS_PREFIX", "%w, got %s", err, domain.Quote(c.NATSPrefix))
	}
	if err := readCredentials(c.NATSCreds); c.NATSCreds != "" && err != nil {
		found.add("NATS_CREDS", "%w", err)
	}
	if err := readAuthorities(c.NATSCA); c.NATSCA != "" && err != nil {
		found.add("NATS_CA", "%w", err)
	}
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

// withoutUsers is servers' addresses as they may be shown: a user may be a token.
func withoutUsers(addresses string) string {
	var shown []string
	for address := range strings.SplitSeq(addresses, ",") {
		shown = append(shown, withoutUser(address))
	}
	return strings.Join(shown, ",")
}

// withoutUser is empty when the address isn't one that the client can use.
func withoutUser(address string) string {
	address = strings.TrimSpace(address)
	if !strings.Contains(address, "://") {
		address = "nats://" + address // as the client reads it
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Hostname() == "" || !slices.Contains(natsSchemes, parsed.Scheme) {
		return ""
	}
	if port := parsed.Port(); port != "" && !isPort(port) || strings.Contains(parsed.Hostname(), ":") && !strings.Contains(parsed.Host, "[") {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}
