package contract

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"deliberation.io/deliberation/domain"
)

// Parsed is a request that was read and checked. If there is an error, it holds what could be read.
type Parsed struct {
	Normalised NormalisedRequest
	Domain     domain.DeliberationRequest // the zero value if there is an error
	Text       []byte                     // the request as it came, which is sent to Temporal
}

// Parse reads and checks a request. The error is [domain.Faults] and names every fault.
func (r Request) Parse() (Parsed, error) { return r.ParseFor(domain.AllowList{}) }

// ParseFor is Parse for workers that may use only these model servers.
func (r Request) ParseFor(allow domain.AllowList) (Parsed, error) {
	received, err := r.asReceived()
	if err != nil {
		return Parsed{}, err
	}
	normalised, read := readRequest(received)
	parsed := Parsed{Normalised: normalised, Text: received.text}
	request, err := domain.NewDeliberationRequest(normalised.spec())
	read.addRuleFaults(err)
	if size, over := tooLarge(received.text, normalised); over {
		read.Add("request", "must be at most %d bytes in JSON, got %d", domain.MaxRequest, size)
	}
	read.checkAllowed("vllm_url", normalised.VLLMURL, allow)
	read.checkAllowed("protocol.judge_url", normalised.Protocol.JudgeURL, allow)
	read.checkAllowed("protocol.chair_url", normalised.Protocol.ChairURL, allow)
	if err := read.OrNil(); err != nil {
		return parsed, err
	}
	parsed.Domain = request
	return parsed, nil
}

// tooLarge measures a request as it is recorded. It encodes only a request that may be too large: no byte becomes
// more than six, and the defaults of 64 agents take at most 64 KiB.
func tooLarge(text []byte, normalised NormalisedRequest) (size int, over bool) {
	if 6*len(text)+64<<10 <= domain.MaxRequest {
		return 0, false
	}
	recorded, err := json.Marshal(normalised)
	return len(recorded), err == nil && len(recorded) > domain.MaxRequest
}

// addRuleFaults adds the domain's faults, except at paths that already have a shape fault.
func (r *reading) addRuleFaults(err error) {
	faults, _ := errors.AsType[domain.Faults](err)
	shape := slices.Clone(r.Faults)
	for _, fault := range faults {
		known := slices.ContainsFunc(shape, func(f domain.Fault) bool {
			return f.Path == fault.Path || strings.HasPrefix(fault.Path, f.Path+".") || f.Path == "request" ||
				f.Path == strings.TrimSuffix(fault.Path, "agent_id")+"id"
		})
		if !known && !slices.Contains(r.inherited, fault.Path) {
			r.Faults = append(r.Faults, fault)
		}
	}
}

// checkAllowed refuses the URL of a model server that workers may not use. It leaves out a URL that isn't given.
func (r *reading) checkAllowed(path, url string, allow domain.AllowList) {
	if fault := allow.Check(url); url != "" && fault != "" && !r.faultAt(path) {
		r.Add(path, "%s", fault)
	}
}

func (r *reading) faultAt(path string) bool {
	return slices.ContainsFunc(r.Faults, func(f domain.Fault) bool { return f.Path == path || f.Path == "request" })
}
