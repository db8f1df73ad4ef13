package ray

import (
	"net/http"
	"time"
)

// Hurry bounds the time of every call beyond its wait.
func (c *Client) Hurry(within time.Duration) {
	c.within.submit, c.within.control, c.within.margin = within, within, within
}

// TransportOf is the transport that a client without a wrapper has.
var TransportOf = newTransport

// RetryAfter reads a header.
var RetryAfter = retryAfter

// TireOfRefusals makes the next refusal of a submit final.
func (c *Client) TireOfRefusals() { c.within.refused = 0 }

// Refusals is how many submissions are being refused.
func (c *Client) Refusals() int { return len(c.persistence.since) }

// MissForGood makes a Ray cluster count as gone as soon as another one answers in its place.
func (c *Client) MissForGood() { c.within.away = 0 }

func (c *Client) Name() string          { return c.name }
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Wrap wraps the client's transport.
func (c *Client) Wrap(wrap func(http.RoundTripper) http.RoundTripper) {
	c.http.Transport = wrap(c.http.Transport)
}
