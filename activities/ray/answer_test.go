package ray_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/activities/ray/raytest"
	"deliberation.io/deliberation/domain"
)

// answering is a client of a server that always gives the same answer.
func answering(t *testing.T, status int, body string, headers ...string) *ray.Client {
	t.Helper()
	return clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func clientOf(t *testing.T, handle http.HandlerFunc) *ray.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return newClient(t, ray.Config{Name: "local", URL: server.URL + "/deliberation", Token: "secret"})
}

var handle = domain.Handle{TurnID: "t1", Cluster: "local", Runner: "runner/a/0", Incarnation: "i1"}

func awaited(t *testing.T, client *ray.Client) domain.Observation {
	t.Helper()
	seen, err := look(t.Context(), client, handle, 0)
	require.NoError(t, err)
	require.Equal(t, handle.TurnID, seen.TurnID)
	return seen
}

func submitted(t *testing.T, client *ray.Client) *domain.Error {
	t.Helper()
	_, err := client.Submit(t.Context(), submissionOf(t, "http://model", "m", 1))
	var refused *domain.Error
	require.ErrorAs(t, err, &refused)
	return refused
}

var (
	asHTML = []string{"Content-Type", "text/html; charset=utf-8"}
	asText = []string{"Content-Type", "text/plain"}
	asJSON = []string{"Content-Type", "application/json"}
)

// strangers are answers that don't come from the app, or that are of no use.
var strangers = map[string]struct {
	status  int
	body    string
	headers []string
	says    string
}{
	"a proxy's page":             {502, "<html>Bad Gateway</html>", asHTML, "answered 502 text/html that isn't the Ray app's"},
	"Serve's 404":                {404, "Path '/deliberation/v1/turns' not found.", asText, "answered 404 text/plain"},
	"Serve's 500":                {500, "Internal Server Error", asText, "answered 500 text/plain"},
	"a proxy's 401":              {401, "Unauthorized", asText, "text/plain that isn't the Ray app's: a proxy before the app refuses us; let it pass"},
	"a proxy's 403":              {403, "<html></html>", asHTML, "text/html that isn't the Ray app's: a proxy before the app refuses us; let it pass"},
	"a proxy's 413":              {413, "<html></html>", asHTML, "a proxy before the app refuses the size; let it pass bodies of 8 MiB"},
	"a proxy's 429":              {429, "slow down", asText, "answered 429 text/plain"},
	"a 503 without a type":       {503, `{"error":{"message":"no"}}`, asJSON, "answered 503 application/json"},
	"a 500 of another form":      {500, `{"error":"boom"}`, asJSON, "answered 500 application/json"},
	"JSON null":                  {500, `null`, asJSON, "answered 500 application/json"},
	"a 401 of another API":       {401, `{"error":{"type":"auth_error","message":"key"}}`, asJSON, "answered 401 auth_error"},
	"the app's own bug":          {500, `{"error":{"type":"internal","message":"unexpected KeyError"}}`, asJSON, "500 internal: unexpected KeyError"},
	"an app without this route":  {404, `{"error":{"type":"not_found","message":"Not Found"}}`, asJSON, "answered 404 not_found"},
	"an error that says OK":      {200, `{"error":{"type":"full","message":""}}`, asJSON, "answered 200"},
	"a redirect":                 {302, "", []string{"Location", "http://127.0.0.1:1/login?next=secret"}, "answered 302 of no type that isn't the Ray app's: a proxy redirects; name the app's own URL in DELIBERATION_RAY_CLUSTERS"},
	"a redirect that keeps POST": {307, "", []string{"Location", "/elsewhere"}, "answered 307"},
	"a redirect with our body":   {308, `{"error":{"type":"unauthorized"}}`, asJSON, "answered 308"},
	"204":                        {204, "", nil, "answered 204 of no type"},
	"200 without a body":         {200, "", nil, "answered 200"},
	"200 with a page":            {200, "<html>Welcome</html>", asHTML, "answered 200 text/html"},
	"200 with null":              {200, "null", asJSON, "answered 200"},
	"200 with a list":            {200, "[]", asJSON, "answered 200"},
	"200 with an empty object":   {200, "{}", asJSON, "answered 200"},
	"200 with half an object":    {200, `{"turns":[{"submission_id":"t1"`, asJSON, "answered 200"},
	"200 with another type":      {200, `{"turns":"t1","runner":1}`, asJSON, "answered 200"},
	"200 and something after it": {200, `{"turns":[]}{"turns":[]}`, asJSON, "answered 200"},
	"200 of other turns":         {200, `{"turns":[{"submission_id":"t2"}],"runner":"r","incarnation":"i"}`, asJSON, "answered 200"},
	"an endless body":            {200, strings.Repeat("[", 17<<20), asJSON, "answered 200 with more than"},
	"an endless error":           {500, strings.Repeat("x", 17<<20), asJSON, "answered 500 with more than"},
}

func TestOnlyTheAppSpeaksForItself(t *testing.T) {
	for name, test := range strangers {
		t.Run(name, func(t *testing.T) {
			client := answering(t, test.status, test.body, test.headers...)
			seen := awaited(t, client)
			require.Contains(t, seen.Unreachable, test.says)
			require.True(t, strings.HasPrefix(seen.Unreachable, "local: "), seen.Unreachable)
			require.NotContains(t, seen.Unreachable, "secret")
			require.LessOrEqual(t, len(seen.Unreachable), 200)
			require.Equal(t, domain.OutcomeUnreachable, domain.Judge(handle, seen).Kind)

			refused := submitted(t, client)
			require.Equal(t, domain.KindUnreachable, refused.Kind)
			require.ErrorContains(t, refused, "submit to local: answered")
			_, err := client.Stop(t.Context(), domain.StopOrder{Handles: []domain.Handle{handle}})
			require.Equal(t, domain.KindUnreachable, kindOf(t, err))
			err = client.Forget(t.Context(), domain.StopOrder{Handles: []domain.Handle{handle}})
			require.Equal(t, domain.KindUnreachable, kindOf(t, err))
			_, err = client.Info(t.Context())
			require.Equal(t, domain.KindUnreachable, kindOf(t, err))
		})
	}
}

func TestRefusalsOfTheApp(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		kind   string
		want   domain.ErrorKind
		after  string
		wait   time.Duration
	}{
		"full":               {429, "full", domain.KindFull, "2", 2 * time.Second},
		"full, silent":       {429, "full", domain.KindFull, "", 0},
		"restarting":         {503, "runner_unavailable", domain.KindUnavailable, "1", time.Second},
		"overloaded":         {503, "overloaded", domain.KindUnavailable, "1", time.Second},
		"token":              {401, "unauthorized", domain.KindUnavailable, "", 5 * time.Second},
		"token, said by 403": {403, "unauthorized", domain.KindUnavailable, "", 5 * time.Second},
		"URL":                {403, "url_not_allowed", domain.KindURL, "", 0},
		"malformed":          {422, "invalid_request", domain.KindRejected, "9", 0},
		"too large":          {413, "too_large", domain.KindRejected, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(`{"error":{"type":%q,"message":"as\nsaid %s"}}`, test.kind, strings.Repeat("x", 5000))
			client := answering(t, test.status, body, "Retry-After", test.after)
			refused := submitted(t, client)
			require.Equal(t, test.want, refused.Kind)
			require.Equal(t, test.wait, refused.RetryAfter)
			require.Less(t, len(refused.Error()), 1100)
			require.NotContains(t, refused.Error(), "\n")

			seen := awaited(t, client)
			if test.kind == "unauthorized" {
				require.Equal(t, "local: "+refusesToken, seen.Unreachable)
				return
			}
			require.Contains(t, seen.Unreachable, fmt.Sprintf("local: answered %d %s: as said", test.status, test.kind))
			require.LessOrEqual(t, len(seen.Unreachable), 200)
		})
	}
}

const refusesToken = "the Ray app refuses the token: set DELIBERATION_RAY_TOKEN or DELIBERATION_RAY_TOKEN_FILE to one of the app's"

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "2": 2 * time.Second, "0.5": 500 * time.Millisecond, "0": 0, "-1": 0, "soon": 0, "NaN": 0,
		"86400": time.Minute, "Inf": time.Minute, "1e300": time.Minute,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"Fri, 02 Jan 2099 03:04:00 GMT": time.Minute,
	} {
		require.Equal(t, want, ray.RetryAfter(text, now), text)
	}
}

func TestStatesThatContradictThemselvesAreNoOutcome(t *testing.T) {
	for name, state := range map[string]string{
		"no incarnation":         `"state":"unknown"`,
		"null incarnation":       `"state":"unknown","incarnation":null`,
		"no state":               `"incarnation":"i1"`,
		"another state":          `"incarnation":"i1","state":"exploded"`,
		"completed, no result":   `"incarnation":"i1","state":"completed"`,
		"completed, null result": `"incarnation":"i1","state":"completed","result":null`,
		"completed, no text":     `"incarnation":"i1","state":"completed","result":{}`,
		"failed, no error":       `"incarnation":"i1","state":"failed"`,
		"failed, no type":        `"incarnation":"i1","state":"failed","error":{"message":"m"}`,
		"cancelled, no error":    `"incarnation":"i1","state":"cancelled","error":null`,
	} {
		t.Run(name, func(t *testing.T) {
			client := answering(t, 200, `{"turns":[{"submission_id":"t1",`+state+`}]}`)
			seen := awaited(t, client)
			require.Contains(t, seen.Unreachable, "local: answered 200 with")
			require.Equal(t, domain.OutcomeUnreachable, domain.Judge(handle, seen).Kind)
		})
	}
}

func TestAGoneRunnerIsNotAnAbsentOne(t *testing.T) {
	seen := awaited(t, answering(t, 200, `{"turns":[{"submission_id":"t1","state":"unknown","incarnation":""}]}`))
	require.Equal(t, domain.OutcomeLost, domain.Judge(handle, seen).Kind)
}

func TestTheLargestAnswerFits(t *testing.T) {
	const megabyte = 1 << 20
	text := strings.Repeat(`\u0001`, megabyte)
	body := `{"turns":[{"submission_id":"t1","state":"completed","incarnation":"i1","result":{"text":"` + text + `","reasoning_text":"` + text + `"}}]}`
	seen := awaited(t, answering(t, 200, body))
	require.Equal(t, domain.RayCompleted, seen.State)
	require.Len(t, seen.Completion.Text, megabyte)
}

func TestATurnThatDoesNotReadHidesNoOther(t *testing.T) {
	client := answering(t, 200, `{"turns":[
		{"submission_id":"t1","state":"completed","incarnation":"i1","result":{"text":"{}","usage":{"prompt_tokens":1e25}}},
		{"submission_id":"t2","state":"completed","incarnation":"i1","result":{"text":"good","finish_reason":"stop"}}]}`)
	seen, err := client.Stop(t.Context(), domain.StopOrder{Handles: []domain.Handle{{TurnID: "t1"}, {TurnID: "t2"}}})
	require.NoError(t, err)
	require.Contains(t, seen[0].Unreachable, "prompt_tokens")
	require.Equal(t, "good", seen[1].Completion.Text)
}

func TestACancelledCallIsTheCallersOwnError(t *testing.T) {
	client := answering(t, 200, "{}")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := look(ctx, client, handle, time.Second)
	require.ErrorIs(t, err, context.Canceled)
	_, err = client.Info(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// The new cluster in this test has none of the old turns, and takes new ones.
func TestAClusterThatReplacesAnotherOne(t *testing.T) {
	app := raytest.NewApp(t)
	c := newCouncil(t, standIn{app}, 1)
	app.Answer(c.model, raytest.Hanging())
	before := c.submit(t)[0]
	app.Move()
	require.Equal(t, domain.OutcomeUnreachable, c.glance(t, before))
	after := c.submit(t)[0]
	require.NotEqual(t, before.Incarnation, after.Incarnation)
	require.Equal(t, domain.OutcomeRunning, c.glance(t, after))
	c.MissForGood()
	require.Equal(t, domain.OutcomeLost, c.glance(t, before))
}
