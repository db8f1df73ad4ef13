package ray

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/propagation"

	"deliberation.io/deliberation/domain"
)

// Bounds of an answer. A turn's text has at most 1 MiB, and JSON may take 6 bytes for each byte of it.
const (
	shortAnswer = 1 << 20
	waitAnswer  = 16 << 20 // the app's texts have 8 MiB as JSON, or are those of one turn: its answer and its thoughts
	longAnswer  = 64 << 20
)

const (
	dialWithin = 5 * time.Second
	// idleFor is below Serve's keep-alive of 90 s: the server seldom closes a connection under a call.
	idleFor = 60 * time.Second
	// keptIdle is how many idle connections are kept: as many as submits, stops and waits use at the same time. Open
	// connections aren't limited, since a stop must never wait until a poll has ended.
	keptIdle = 256
)

func newTransport() *http.Transport {
	// With HTTP/2, one lost connection would end the waits for all runners.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               nil, // the app is an internal service, so HTTP_PROXY doesn't apply
		DialContext:         (&net.Dialer{Timeout: dialWithin, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialWithin,
		MaxIdleConns:        keptIdle,
		MaxIdleConnsPerHost: keptIdle,
		IdleConnTimeout:     idleFor,
		DisableCompression:  true, // bounds count the bytes that arrive
		Protocols:           protocols,
	}
}

// call is one request to the app.
type call struct {
	op     string // for the error: "submit to local"
	method string
	path   string
	query  string
	body   any
	within time.Duration
	limit  int64
	as     policy
}

// unreadable returns the error for a 200 without what was asked for.
func (k call) unreadable(err error) error {
	return &domain.Error{Kind: domain.KindUnreachable, Op: k.op, Err: err}
}

// ask makes the call and decodes the app's answer. The error is the context's or a [*domain.Error].
func (c *Client) ask(ctx context.Context, k call, answer any) error {
	done, refused := c.breaker.admit(k.as)
	if refused != nil {
		return &domain.Error{Kind: domain.KindUnreachable, Op: k.op, Err: refused}
	}
	err := c.askNow(ctx, k, answer)
	done(err)
	return err
}

func (c *Client) askNow(ctx context.Context, k call, answer any) error {
	limited, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	request, err := c.request(limited, k)
	if err != nil {
		return &domain.Error{Kind: domain.KindRejected, Op: k.op, Err: err}
	}
	got, err := c.exchange(request, k.limit)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &domain.Error{Kind: domain.KindUnreachable, Op: k.op, Err: errors.New(reasonOf(err, k.within))}
	case got.status != http.StatusOK:
		return got.refusal(k.op)
	}
	if err := json.Unmarshal(got.body, answer); err != nil {
		return k.unreadable(got.stranger())
	}
	return nil
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		var encoded bytes.Buffer
		encoder := json.NewEncoder(&encoded)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(k.body); err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		body = bytes.NewReader(encoded.Bytes()) // net/http can send a body of this type again
	}
	address := c.base.JoinPath(k.path)
	address.RawQuery = k.query
	request, err := http.NewRequestWithContext(ctx, k.method, address.String(), body)
	if err != nil {
		return nil, err
	}
	// A key without a value isn't sent. It lets the transport repeat a POST when the server has closed a
	// kept connection: turn ids make every call of ours idempotent.
	request.Header["Idempotency-Key"] = []string{}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "deliberation")
	if k.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}

// answered is a response, of the app or of any other server.
type answered struct {
	status     int
	mediaType  string
	retryAfter string
	body       []byte
}

// exchange reads the whole response, so that its connection can be kept. If the response is longer than the limit, it
// closes the connection.
func (c *Client) exchange(request *http.Request, limit int64) (answered, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return answered{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return answered{}, err
	}
	if int64(len(body)) > limit {
		return answered{}, fmt.Errorf("answered %d with more than %d MiB", response.StatusCode, limit>>20)
	}
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		mediaType = "of no type"
	}
	return answered{
		status: response.StatusCode, mediaType: mediaType, retryAfter: response.Header.Get("Retry-After"), body: body,
	}, nil
}

// Bounds of messages, in bytes: of a reason that heartbeats and queries show, and of a refusal, which
// names fields.
const (
	maxReason  = 200
	maxRefusal = 1000
)

// reasonOf explains in a few words why there is no answer. It never shows the path or query of an address.
func reasonOf(err error, within time.Duration) string {
	var dialled *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "cannot resolve " + dns.Name + ": " + dns.Err
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.As(err, &dialled) && dialled.Op == "dial" && dialled.Timeout():
		return fmt.Sprintf("no connection within %s", dialWithin)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", within.Round(time.Second))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed in the middle of an answer"
	case errors.Is(err, io.EOF):
		return "connection closed without an answer"
	}
	return cut(bare(err).Error())
}

// bare returns the cause without the wrappers that name addresses and system calls.
func bare(err error) error {
	for {
		switch wrapped := err.(type) { //nolint:errorlint // takes off these wrappers, one by one
		case *url.Error:
			err = wrapped.Err
		case *net.OpError:
			err = wrapped.Err
		case *os.SyscallError:
			err = wrapped.Err
		default:
			return err
		}
	}
}

func cut(text string) string { return cutTo(text, maxReason) }

// cutTo makes one printable line of at most limit bytes.
func cutTo(text string, limit int) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if len(line) <= limit {
		return line
	}
	const more = "…"
	end := limit - len(more)
	for !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + more
}
