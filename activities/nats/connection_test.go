package nats_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/internal/freeport"
)

// as is a server's URL with a user in it.
func as(user, password string, srv *server.Server) string {
	return strings.Replace(srv.ClientURL(), "nats://", "nats://"+user+":"+password+"@", 1)
}

func TestConnect_RefusesWhatCannotWork(t *testing.T) {
	nonsense := filepath.Join(t.TempDir(), "nonsense")
	require.NoError(t, os.WriteFile(nonsense, []byte("nonsense"), 0o600))
	for name, test := range map[string]struct {
		config nats.Config
		want   string
	}{
		"a prefix with a wildcard":  {nats.Config{Prefix: "a.*"}, `DELIBERATION_NATS_PREFIX: must be up to 200 letters, digits, '-' and '_', in parts joined by dots, got "a.*"`},
		"a prefix that ends in dot": {nats.Config{Prefix: "a."}, `got "a."`},
		"a prefix that is too long": {nats.Config{Prefix: strings.Repeat("a", 201)}, "DELIBERATION_NATS_PREFIX"},
		"credentials not there":     {nats.Config{Creds: "/nowhere/x.creds"}, "NATS_CREDS: open /nowhere/x.creds"},
		"credentials of nonsense":   {nats.Config{Creds: nonsense}, "NATS_CREDS: the file holds no credentials"},
		"authorities not there":     {nats.Config{CA: "/nowhere/ca.pem"}, "NATS_CA: open /nowhere/ca.pem"},
		"authorities of nonsense":   {nats.Config{CA: nonsense}, "NATS_CA: the file holds no certificate in PEM"},
		"a seed not there":          {nats.Config{NKey: "/nowhere/seed"}, "NATS_NKEY: open /nowhere/seed"},
		"a seed of nonsense":        {nats.Config{NKey: nonsense}, "NATS_NKEY: the file holds no seed of a user's nkey"},
		"a seed and credentials":    {nats.Config{NKey: nonsense, Creds: nonsense}, "NATS_NKEY: give it or NATS_CREDS, not both"},
		"a certificate alone":       {nats.Config{Cert: nonsense}, "NATS_CERT: needs NATS_KEY too"},
		"a key alone":               {nats.Config{Key: nonsense}, "NATS_KEY: needs NATS_CERT too"},
		"a certificate not there":   {nats.Config{Cert: "/nowhere/cert.pem", Key: nonsense}, "NATS_CERT: open /nowhere/cert.pem"},
		"a key not there":           {nats.Config{Cert: nonsense, Key: "/nowhere/key.pem"}, "NATS_KEY: open /nowhere/key.pem"},
		"a certificate of nonsense": {nats.Config{Cert: nonsense, Key: nonsense}, "NATS_CERT: the file and that of NATS_KEY are no certificate with its key: tls: "},
		"inboxes that are too long": {nats.Config{InboxPrefix: strings.Repeat("i", 201)}, "NATS_INBOX_PREFIX: must be at most 200 characters, got 201"},
		"inboxes with a wildcard":   {nats.Config{InboxPrefix: "_INBOX_app.>"}, `NATS_INBOX_PREFIX: must be letters, digits, '-' and '_', in parts joined by dots, got "_INBOX_app.>"`},
		"a domain of two tokens":    {nats.Config{Domain: "hub.eu"}, `NATS_JS_DOMAIN: must be letters, digits, '-' and '_', got "hub.eu"`},
		"a negative bound":          {nats.Config{MaxBytes: -1}, "DELIBERATION_NATS_MAX_BYTES: cannot be negative, got -1"},
		"a url of nonsense":         {nats.Config{URL: "nats://me:secret@host:x"}, "NATS_URL: must be nats://host:port (or tls, ws, wss), or several by commas"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := nats.Connect(test.config)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestConnect_WaitsForAServerThatIsAway(t *testing.T) {
	t.Parallel()
	opts := options(t, func(o *server.Options) { o.Port = freeport.Find(t) })
	publisher := connect(t, nats.Config{URL: fmt.Sprintf("nats://127.0.0.1:%d", opts.Port)})

	begun := time.Now()
	err := publish(t.Context(), publisher, run())
	requireNotStored(t, err)
	require.ErrorContains(t, err, "not connected: ")
	require.Less(t, time.Since(begun), 3*time.Second, "no answer is waited for")
	requireNotStored(t, publish(t.Context(), publisher, run()))
	err = publish(t.Context(), publisher, run())
	require.Equal(t, 1, strings.Count(err.Error(), "not connected"), err)
	status, trouble := publisher.Status()
	require.Equal(t, "reconnecting", status)
	require.Error(t, trouble)

	srv := serve(t, opts)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, publish(t.Context(), publisher, run()))
	}, patience, often)
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, operator(t, srv.ClientURL()), "DELIBERATION_EVENTS"))
	requireWell(t, publisher)
}

func TestPublish_GoesOnAfterARestartOfTheServer(t *testing.T) {
	t.Parallel()
	opts := options(t, func(o *server.Options) { o.Port = freeport.Find(t) })
	srv := serve(t, opts)
	publisher := connect(t, nats.Config{URL: srv.ClientURL()})
	require.NoError(t, publish(t.Context(), publisher, run()[:2]))

	stop(srv)
	requireNotStored(t, publish(t.Context(), publisher, run()))

	again := opts.Clone()
	srv = serve(t, again)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, publish(t.Context(), publisher, run()))
	}, patience, often)
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, operator(t, srv.ClientURL()), "DELIBERATION_EVENTS"))
	requireWell(t, publisher)
}

func TestStatus_ShowsWrongCredentialsUntilTheyAreRight(t *testing.T) {
	t.Parallel()
	opts := options(t, withPassword("right"))
	srv := serve(t, opts)
	log := &logged{}
	publisher := connect(t, nats.Config{URL: as("worker", "wrong", srv), Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, trouble := publisher.Status()
		require.Equal(c, "reconnecting", status)
		require.ErrorIs(c, trouble, natsgo.ErrAuthorization)
		seen, err := srv.Varz(nil)
		require.NoError(c, err)
		require.Greater(c, seen.TotalConnections, uint64(2), "at the second refusal the library gives up by default")
	}, patience, often)
	err := publish(t.Context(), publisher, run())
	requireNotStored(t, err)
	require.ErrorIs(t, err, natsgo.ErrAuthorization)
	require.NotContains(t, err.Error(), "wrong")
	_, trouble := publisher.Status()
	require.ErrorContains(t, trouble, "the server refuses the user of NATS_URL, and NATS_CREDS is not set: nats: ")
	require.Contains(t, log.text(), `level=WARN msg="nats trouble" what="not connected" error="the server refuses the user of NATS_URL, and`)
	require.Equal(t, 1, strings.Count(log.text(), "not connected"), "once is enough: %s", log.text())

	corrected := opts.Clone()
	withPassword("wrong")(corrected)
	require.NoError(t, srv.ReloadOptions(corrected))
	requireWell(t, publisher)
	require.NoError(t, publish(t.Context(), publisher, run()))
}

func TestStatus_ShowsCredentialsThatCannotBeReadAnyMore(t *testing.T) {
	t.Parallel()
	creds := filepath.Join(t.TempDir(), "worker.creds")
	require.NoError(t, os.WriteFile(creds, []byte(foreign), 0o600))
	publisher := connect(t, nats.Config{URL: serve(t, options(t, withPassword("right"))).ClientURL(), Creds: creds})
	require.NoError(t, os.WriteFile(creds, []byte("nonsense"), 0o600))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, trouble := publisher.Status()
		require.Equal(c, "reconnecting", status)
		require.ErrorContains(c, trouble, "worker.creds")
	}, patience, often)
}

func TestStatus_SaysWhichVariableIsRefused(t *testing.T) {
	t.Parallel()
	srv := serve(t, options(t, withPassword("right")))
	creds := filepath.Join(t.TempDir(), "worker.creds")
	require.NoError(t, os.WriteFile(creds, []byte(foreign), 0o600))
	for name, test := range map[string]struct {
		config nats.Config
		want   string
	}{
		"credentials of another operator": {nats.Config{URL: srv.ClientURL(), Creds: creds}, "the server refuses NATS_CREDS: nats: "},
		"nobody":                          {nats.Config{URL: srv.ClientURL()}, "the server refuses the user of NATS_URL, and NATS_CREDS is not set: nats: "},
		"a server that others vouch for":  {nats.Config{URL: unknown(t)}, "the server's certificate isn't of NATS_CA: nats: tls error: "},
	} {
		t.Run(name, func(t *testing.T) {
			publisher := connect(t, test.config)
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				_, trouble := publisher.Status()
				require.ErrorContains(c, trouble, test.want)
			}, patience, often)
		})
	}
}

// foreign is a user that no server knows.
const foreign = `-----BEGIN NATS USER JWT-----
e30.e30.c2lnbmVk
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
SUADFL5HPSH33OG4NNCFMRNOZA4NXINKUHOMTJ7FZCFPBYDCCADTMKWZ6E
------END USER NKEY SEED------
`

// unknown is the URL of a server whose certificate the client does not trust.
func unknown(t *testing.T) string {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	return serve(t, options(t, func(o *server.Options) {
		o.TLS, o.TLSConfig = true, &tls.Config{Certificates: certified.TLS.Certificates}
	})).ClientURL()
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	kept strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.Write(line)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.String()
}

func withPassword(password string) func(*server.Options) {
	return func(o *server.Options) { o.Users = []*server.User{{Username: "worker", Password: password}} }
}

func TestStatus_NamesTheServerWithoutThePassword(t *testing.T) {
	srv := serve(t, options(t, withPassword("right")))
	publisher := connect(t, nats.Config{URL: as("worker", "right", srv)})
	status, trouble := publisher.Status()
	require.NoError(t, trouble)
	require.Contains(t, status, "connected to nats://")
	require.NotContains(t, status, "right")
}

func TestClose_EndsPublishing(t *testing.T) {
	_, publisher, _ := started(t)
	require.NoError(t, publish(t.Context(), publisher, run()))
	publisher.Close()
	requireNotStored(t, publish(t.Context(), publisher, run()))
	status, _ := publisher.Status()
	require.Equal(t, "closed", status)
	publisher.Close()
}

func requireWell(t *testing.T, publisher *nats.Publisher) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, trouble := publisher.Status()
		require.NoError(c, trouble)
		require.Contains(c, status, "connected to ")
	}, patience, often)
}
