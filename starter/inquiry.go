package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// answerMost is how much is read of an answer.
const answerMost = 1 << 20

// inquiry is one request for JSON: a POST when it has a body, else a GET.
type inquiry struct {
	address string
	token   string
	body    any
	within  time.Duration // lookWithin when zero
}

// ask reads the answer, within bounds of time and size. A redirect isn't followed: it would take the
// token elsewhere. Errors don't quote the address, which may hold a password.
func (i inquiry) ask(ctx context.Context, into any) (status int, err error) {
	if i.within == 0 {
		i.within = lookWithin
	}
	asking, cancel := context.WithTimeout(ctx, i.within)
	defer cancel()
	request, err := i.request(asking)
	if err != nil {
		return 0, errors.New("not an address")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		if asking.Err() != nil {
			return 0, fmt.Errorf("no answer within %s", i.within)
		}
		if failed, is := errors.AsType[*url.Error](err); is {
			err = failed.Err
		}
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, answerMost)).Decode(into); err != nil {
		return response.StatusCode, errors.New("answered 200 with something else than the JSON that was asked for")
	}
	return response.StatusCode, nil
}

func (i inquiry) request(ctx context.Context) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if i.body != nil {
		encoded, err := json.Marshal(i.body)
		if err != nil {
			return nil, err
		}
		method, body = http.MethodPost, bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, i.address, body)
	if err != nil {
		return nil, err
	}
	if i.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if i.token != "" {
		request.Header.Set("Authorization", "Bearer "+i.token)
	}
	return request, nil
}
