package domain_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

const (
	neverAllowed = "names a link-local or cloud metadata address, which is never allowed"
	outside      = "is outside the allow-list (DELIBERATION_VLLM_ALLOW)"
)

func allowList(t require.TestingT, patterns ...string) domain.AllowList {
	list, err := domain.NewAllowList(patterns)
	require.NoError(t, err)
	return list
}

func TestAllowListPatterns(t *testing.T) {
	for name, test := range map[string]struct {
		pattern string
		allowed []string
		refused []string
	}{
		"a host allows every port": {
			"vllm",
			[]string{"http://vllm", "http://vllm:8000/v1", "https://VLLM:1", "http://vllm."},
			[]string{"http://vllm2", "http://a.vllm", "http://vllm.evil.com", "http://evil.com/vllm", "http://vllm@evil.com"},
		},
		"a port is compared": {
			"vllm:8000", []string{"http://vllm:8000", "https://vllm:8000/v1"}, []string{"http://vllm", "http://vllm:80", "http://vllm:80000"},
		},
		"http has port 80": {
			"vllm:80", []string{"http://vllm", "http://vllm:80"}, []string{"https://vllm", "http://vllm:8080"},
		},
		"https has port 443": {
			"vllm:443", []string{"https://vllm", "http://vllm:443"}, []string{"http://vllm"},
		},
		"case makes no difference": {"VLLM.Internal:8000", []string{"http://vllm.INTERNAL:8000"}, nil},
		"a star within a name": {
			"*.models.internal",
			[]string{"http://a.models.internal:1", "http://a.b.models.internal"},
			[]string{"http://models.internal", "http://a.models.internal.evil.com"},
		},
		"a star doesn't reach into the port": {
			"vllm*1", []string{"http://vllm1", "http://vllm-01:9"}, []string{"http://vllm:8001"},
		},
		"a star for the port":      {"vllm:*", []string{"http://vllm", "http://vllm:9999"}, []string{"http://other"}},
		"a star for the host":      {"*:8000", []string{"http://any.host:8000", "http://[::1]:8000"}, []string{"http://any.host"}},
		"a star is every host":     {"*", []string{"http://any.host:1", "http://10.0.0.1", "http://[fd00::1]"}, nil},
		"an IPv4 address":          {"10.0.0.1", []string{"http://10.0.0.1:8000"}, []string{"http://10.0.0.11", "http://167772161"}},
		"an IPv6 address":          {"[::1]", []string{"http://[::1]", "http://[::1]:8000"}, []string{"http://[::2]", "http://1"}},
		"an IPv6 address and port": {"[fd00::1]:8000", []string{"http://[FD00::1]:8000"}, []string{"http://[fd00::1]", "http://[fd00::2]:8000"}},
		"an IPv6 pattern":          {"[fd00:*]:8000", []string{"http://[fd00::7]:8000"}, []string{"http://[fd01::7]:8000"}},
	} {
		t.Run(name, func(t *testing.T) {
			list := allowList(t, "elsewhere:1", test.pattern)
			for _, url := range test.allowed {
				require.Empty(t, list.Check(url), url)
			}
			for _, url := range test.refused {
				require.Equal(t, outside, list.Check(url), url)
			}
		})
	}
}

func TestBadPatternsAreNamed(t *testing.T) {
	for _, pattern := range []string{
		"", " ", "http://vllm", "vllm/v1", "vllm:", ":8000", "vllm:http", " vllm", "me@vllm", "::1", "[::1", "::1]", "[vllm]", "[::1]]", "a:b:1", `a\b`, "[a-z]",
	} {
		list, err := domain.NewAllowList([]string{"good", pattern})
		require.EqualError(t, err, fmt.Sprintf("%q: must be a host or host:port pattern, an IPv6 address in brackets", pattern))
		require.Equal(t, outside, list.Check("http://evil.com"), "a faulty list allows nothing more")
	}
}

func TestAListOfNothingAllowsEveryHostButTheForbidden(t *testing.T) {
	for _, list := range []domain.AllowList{{}, allowList(t)} {
		require.Empty(t, list.Check("http://vllm:8000"))
		require.Empty(t, list.Check("http://127.0.0.1:8000"))
		require.Empty(t, list.Check("http://0.0.0.0:8000"))
		require.Equal(t, neverAllowed, list.Check("http://169.254.169.254/latest"))
		require.Equal(t, "is not a URL", list.Check("http://%zz"))
		require.Empty(t, list.Patterns())
	}
}

func TestForbiddenAddressesAreKnownInEverySpelling(t *testing.T) {
	everything := allowList(t, "*", "169.254.169.254", "[fe80::1]", "2852039166")
	for _, host := range []string{
		"169.254.169.254", "169.254.0.1", "169.254.169.254.", "169.254.169.254..", "169.254.43518",
		"2852039166", "0xA9FEA9FE", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "025177524776", "169.16689662", "169.254.0xa9fe",
		"[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[0:0:0:0:0:ffff:169.254.169.254]",
		"[64:ff9b::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[2002:a9fe:a9fe::1]",
		"[fe80::1]", "[FE80::1]", "[febf::1]", "[fe80::1%25eth0]",
		"100.100.100.200", "0x646464c8", "[::ffff:100.100.100.200]", "[fd00:ec2::254]", "[FD00:0EC2:0::0254]", "[fd00:ec2::254%25eth0]",
	} {
		for _, url := range []string{"http://" + host, "https://" + host + ":8000/v1"} {
			require.Equal(t, neverAllowed, everything.Check(url), url)
			require.Equal(t, neverAllowed, domain.AllowList{}.Check(url), url)
		}
	}
}

func TestOtherHostsAreNotTakenForForbiddenAddresses(t *testing.T) {
	for _, host := range []string{
		"vllm", "169.254.example.com", "169.254.169.254.example.com", "169.253.169.254", "4294967296", "0xA9FEA9FEA", "169.254.169.254.1",
		"256.254.169.254", "0251.0376.0251.0378", "169..169.254", "0x", "169.254.65536", "-1", "+2852039166", "2_852_039_166", "0b1", "0o1",
		"10.0.0.1", "127.1", "[::1]", "[fd00::1]", "[fec0::1]", "[2001:db8::a9fe:a9fe]", "0xA9FEA9FE.example", "face.b00c", "dead.beef",
	} {
		require.Empty(t, domain.AllowList{}.Check("http://"+host), host)
	}
}

func TestEveryLinkLocalAddressIsForbidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Uint16().Draw(t, "low")
		address := netip.AddrFrom4([4]byte{169, 254, byte(low >> 8), byte(low)})
		number := 0xA9FE<<16 | uint32(low)
		for _, host := range []string{
			address.String(), fmt.Sprint(number), fmt.Sprintf("%#x", number), fmt.Sprintf("0%o", number),
			fmt.Sprintf("169.254.%d", low), "[::ffff:" + address.String() + "]",
		} {
			require.Equal(t, neverAllowed, domain.AllowList{}.Check("http://"+host+":8000"), host)
		}
	})
}

func TestCheckNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, _ := domain.NewAllowList(rapid.SliceOf(anyText()).Draw(t, "patterns"))
		_ = list.Check(rapid.SampledFrom([]string{"", "http://"}).Draw(t, "scheme") + anyText().Draw(t, "url"))
	})
}

func TestAllowListIsImmutable(t *testing.T) {
	patterns := []string{"vllm"}
	list := allowList(t, patterns...)
	patterns[0], list.Patterns()[0] = "*", "*"
	require.Equal(t, []string{"vllm"}, list.Patterns())
	require.Equal(t, outside, list.Check("http://evil.com"))
}
