package nats

import (
	"crypto/x509"
	"errors"
	"os"
	"strings"

	natsgo "github.com/nats-io/nats.go"
)

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
