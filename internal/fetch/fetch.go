// Package fetch reads small JSON answers from servers nearby.
package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	within = 5 * time.Second
	most   = 1 << 20 // bytes
)

// StatusError is an answer other than 200.
type StatusError struct{ Code int }

func (e *StatusError) Error() string { return fmt.Sprintf("answered %d", e.Code) }

// StatusOf returns the status in a [StatusError]; 0 for any other error.
func StatusOf(err error) int {
	if answered, is := errors.AsType[*StatusError](err); is {
		return answered.Code
	}
	return 0
}

// client uses no proxy, since HTTP_PROXY is meant for distant servers. It follows no redirect, since that leads to
// another server than the one that was asked for.
var client = http.Client{
	Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// JSON decodes a server's answer. Errors don't quote the address, which may hold a password.
func JSON(ctx context.Context, address string, into any) error {
	asking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	request, err := http.NewRequestWithContext(asking, http.MethodGet, address, http.NoBody)
	if err != nil {
		return errors.New("not an address")
	}
	response, err := client.Do(request)
	switch failed, is := errors.AsType[*url.Error](err); {
	case err != nil && asking.Err() != nil:
		return fmt.Errorf("no answer within %s", within)
	case is:
		return failed.Err
	case err != nil:
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &StatusError{response.StatusCode}
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, most)).Decode(into); err != nil {
		return errors.New("answered 200 with something else than the JSON that was asked for")
	}
	return nil
}
