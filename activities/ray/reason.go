package ray

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

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
