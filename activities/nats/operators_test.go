package nats_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
)

// requireRefused waits until the publisher reports what to change.
func requireRefused(t *testing.T, config nats.Config, want string) {
	t.Helper()
	publisher := connect(t, config)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, trouble := publisher.Status()
		require.ErrorContains(c, trouble, want)
	}, patience, often)
}

func written(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func TestConnect_PresentsAClientCertificate(t *testing.T) {
	t.Parallel()
	trusted := newAuthority(t)
	serverCert, serverKey := trusted.issue(t, x509.ExtKeyUsageServerAuth)
	pair, err := tls.LoadX509KeyPair(serverCert, serverKey)
	require.NoError(t, err)
	srv := serve(t, options(t, func(o *server.Options) {
		o.TLS, o.TLSVerify = true, true
		o.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientCAs: trusted.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: tls.VersionTLS12,
		}
	}))
	config := nats.Config{URL: srv.ClientURL(), CA: trusted.file}

	requireRefused(t, config, "as it does if it wants a client certificate, and NATS_CERT is not set: ")
	config.Cert, config.Key = newAuthority(t).issue(t, x509.ExtKeyUsageClientAuth)
	requireRefused(t, config, "as it does if it refuses NATS_CERT: ")
	config.Cert, config.Key = trusted.issue(t, x509.ExtKeyUsageClientAuth)
	publisher := connect(t, config)
	requireWell(t, publisher)
	require.NoError(t, publish(t.Context(), publisher, run()))
}

func TestConnect_SignsWithAnNKey(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	public, err := pair.PublicKey()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	srv := serve(t, options(t, func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }))
	stranger, err := nkeys.CreateUser()
	require.NoError(t, err)
	strange, err := stranger.Seed()
	require.NoError(t, err)

	requireRefused(t, nats.Config{URL: srv.ClientURL(), NKey: written(t, strange)}, "the server refuses NATS_NKEY: ")
	publisher := connect(t, nats.Config{URL: srv.ClientURL(), NKey: written(t, seed)})
	requireWell(t, publisher)
	require.NoError(t, publish(t.Context(), publisher, run()))
}

func TestPublish_ReceivesAnswersInInboxesOfItsOwn(t *testing.T) {
	t.Parallel()
	srv := serve(t, options(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "worker", Password: "w", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_app.>"}},
		}}}
	}))
	config := nats.Config{URL: as("worker", "w", srv)}

	err := publish(t.Context(), connect(t, config), run())
	requireNotStored(t, err)
	require.ErrorContains(t, err, "answers can't be received; let the user subscribe to _INBOX.>, or set NATS_INBOX_PREFIX: ")

	config.InboxPrefix = "_INBOX_app"
	require.NoError(t, publish(t.Context(), connect(t, config), run()))
}

// A leaf node with a JetStream of its own would otherwise take the stream, and consumers on the hub would see nothing.
func TestStreams_AreMadeInTheDomainThatIsNamed(t *testing.T) {
	t.Parallel()
	hub := serve(t, options(t, func(o *server.Options) {
		o.JetStreamDomain, o.LeafNode.Host, o.LeafNode.Port = "hub", "127.0.0.1", server.RANDOM_PORT
	}))
	info, err := hub.Varz(nil)
	require.NoError(t, err)
	leaf := serve(t, options(t, func(o *server.Options) {
		o.JetStreamDomain = "leaf"
		o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{{
			Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", big.NewInt(int64(info.LeafNode.Port)).String()),
		}}}}
	}))
	require.Eventually(t, func() bool { return hub.NumLeafNodes() == 1 }, patience, often)

	publisher := connect(t, nats.Config{URL: leaf.ClientURL(), Domain: "hub"})
	require.EventuallyWithT(t, func(c *assert.CollectT) { // until both servers know each other's subscriptions
		require.NoError(c, publish(t.Context(), publisher, run()))
	}, patience, often)

	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, operator(t, hub.ClientURL()), "DELIBERATION_EVENTS"))
	require.Empty(t, streams(t, operator(t, leaf.ClientURL())))
}

func TestStreams_HaveABoundWhereTheAccountWantsOne(t *testing.T) {
	for name, test := range map[string]struct {
		configured int64
		limits     server.JetStreamAccountLimits
		want       int64
		fails      string
	}{
		"unbounded by default":      {limits: server.JetStreamAccountLimits{}, want: -1},
		"configured":                {configured: 1 << 20, want: 1 << 20},
		"required":                  {limits: server.JetStreamAccountLimits{MaxBytesRequired: true}, want: 1 << 30},
		"required, and configured":  {configured: 1 << 20, limits: server.JetStreamAccountLimits{MaxBytesRequired: true}, want: 1 << 20},
		"required, without so much": {limits: server.JetStreamAccountLimits{MaxBytesRequired: true, MaxStore: 1 << 29}, fails: "set DELIBERATION_NATS_MAX_BYTES to what the account has room for: "},
		"more than a stream's most": {configured: 1 << 21, limits: server.JetStreamAccountLimits{StoreMaxStreamBytes: 1 << 20}, fails: "set DELIBERATION_NATS_MAX_BYTES to what the account has room for: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, options(t, nil))
			limits := test.limits
			limits.MaxMemory, limits.MaxStreams, limits.MaxConsumers = -1, -1, -1
			if limits.MaxStore == 0 {
				limits.MaxStore = 1 << 31
			}
			require.NoError(t, srv.GlobalAccount().UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": limits}))
			publisher := connect(t, nats.Config{URL: srv.ClientURL(), MaxBytes: test.configured})

			err := publish(t.Context(), publisher, run())

			if test.fails != "" {
				requireNotStored(t, err)
				require.ErrorContains(t, err, test.fails)
				return
			}
			require.NoError(t, err)
			events := configOf(t, operator(t, srv.ClientURL()), "DELIBERATION_EVENTS")
			require.Equal(t, test.want, events.MaxBytes)
			require.Equal(t, jetstream.DiscardOld, events.Discard)
		})
	}
}

// authority signs certificates. Its own certificate is in file.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{certificate, key, written(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// issue writes a certificate for 127.0.0.1 and its key to files.
func (a authority) issue(t *testing.T, usage x509.ExtKeyUsage) (certificate, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "holder"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return written(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		written(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}
