package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"
)

const rayAccount = `{"api_version":1,"build":"b17","ray_version":"2.52.0","in_flight":3,"capacity":10000,"open_waits":0,"runners":[
	{"name":"runner/b17/0","incarnation":"i0","draining":false},{"name":"runner/b16/0","incarnation":"i1","draining":true}]}`

// probes are what apps say of the model, by cluster.
var probes = map[string]string{
	"well":     `{"runner":"runner/b17/0","models":true,"listed":["canned"],"call":{"ok":true,"ms":212}}`,
	"unlisted": `{"runner":"runner/b17/0","models":false,"listed":[],"call":{"ok":true,"ms":7}}`,
	"unnamed":  `{"runner":"runner/b17/0","models":false,"listed":["a","b"],"call":{"ok":false,"type":"ModelRejected","message":"404: none"}}`,
	"keyless":  `{"runner":"runner/b17/0","models":false,"listed":[],"call":{"ok":false,"type":"ModelRejected","message":"401: key"}}`,
	"slow":     `{"runner":"runner/b17/0","models":true,"listed":["canned"],"call":{"ok":false,"type":"ModelTimeout","message":"no answer within 8 s"}}`,
	"down":     `{"runner":"runner/b17/0","models":false,"listed":[],"call":{"ok":false,"type":"ModelUnavailable","message":"cannot reach"}}`,
	"refused":  `{"error":{"type":"url_not_allowed","message":"vllm_url: not allowed here"}}`,
}

// rayAndModel puts up a Ray app that wants the token "secret", and a model server that has "canned", and
// names them in this script's variables.
func rayAndModel(ts *testscript.TestScript, _ bool, _ []string) {
	mux := http.NewServeMux()
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	mux.HandleFunc("GET /app/healthz", say(`{"status":"ok"}`))
	mux.HandleFunc("GET /app/v1/info", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, `{"error":{"type":"unauthorized"}}`, http.StatusUnauthorized)
			return
		}
		say(rayAccount)(w, r)
	})
	for cluster, answer := range probes {
		mux.HandleFunc("GET /"+cluster+"/healthz", say(`{"status":"ok"}`))
		mux.HandleFunc("GET /"+cluster+"/v1/info", say(rayAccount))
		mux.HandleFunc("POST /"+cluster+"/v1/probe", func(w http.ResponseWriter, r *http.Request) {
			var asked map[string]string
			ts.Check(json.NewDecoder(r.Body).Decode(&asked))
			if r.Header.Get("Authorization") != "Bearer secret" || asked["model"] == "" || asked["vllm_url"] == "" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if cluster == "refused" {
				w.WriteHeader(http.StatusForbidden)
			}
			say(answer)(w, r)
		})
	}
	mux.HandleFunc("GET /page/healthz", say("<html>"))
	mux.HandleFunc("POST /page/v1/probe", say(probes["well"]))
	mux.HandleFunc("GET /away/healthz", http.RedirectHandler("/app/healthz", http.StatusFound).ServeHTTP)
	mux.HandleFunc("GET /v1/models", say(`{"data":[{"id":"canned"}]}`))
	mux.HandleFunc("GET /locked/v1/models", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	running := httptest.NewServer(mux)
	ts.Defer(running.Close)
	ts.Setenv("AT", running.URL)
	ts.Setenv("DELIBERATION_RAY_CLUSTERS", "local="+running.URL+"/app")
	ts.Setenv("DELIBERATION_RAY_TOKEN", "secret")
	ts.Setenv("DELIBERATION_VLLM_URL", running.URL+"/v1")
	ts.Setenv("DELIBERATION_VLLM_MODEL", "canned")
}

// natsServer puts up a NATS that has the stream of events, and names it in this script's variables.
func natsServer(ts *testscript.TestScript, _ bool, _ []string) {
	running, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: ts.MkAbs("nats"), NoLog: true, NoSigs: true})
	ts.Check(err)
	running.Start()
	ts.Defer(running.Shutdown)
	if !running.ReadyForConnections(10 * time.Second) {
		ts.Fatalf("nats isn't ready")
	}
	connection, err := nats.Connect(running.ClientURL())
	ts.Check(err)
	defer connection.Close()
	js, err := connection.JetStream()
	ts.Check(err)
	_, err = js.AddStream(&nats.StreamConfig{Name: "DELIBERATION_EVENTS", Subjects: []string{"deliberation.events.>"}})
	ts.Check(err)
	ts.Setenv("NATS_URL", running.ClientURL())
}
