//go:build integration

package stack

import (
	"net/url"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// ProxyToRay starts a TCP proxy in front of the Ray app, and returns the app's URL through it.
func ProxyToRay(t *testing.T) (proxy *toxiproxy.Proxy, app string) {
	t.Helper()
	proxy, listen := ProxyTo(t, HostOf(t, At.RayAppURL))
	return proxy, "http://" + listen + "/deliberation"
}

// ProxyTo starts a TCP proxy in front of an address, and returns its own address.
func ProxyTo(t *testing.T, address string) (proxy *toxiproxy.Proxy, listen string) {
	t.Helper()
	listen = FreeAddress(t)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy = toxiproxy.NewProxy(server, "proxy", listen, address)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return proxy, listen
}

// HostOf returns the host and port of a URL.
func HostOf(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	return parsed.Host
}
