package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// answers is the one table from kinds of error to what a client sees: the HTTP status, and
// the label of SODA 1.0 (section 4.3) that begins the text.
var answers = map[fault.Code]struct {
	status int
	label  string
}{
	fault.Usage:           {http.StatusBadRequest, "UsageError"},
	fault.MultiValued:     {http.StatusBadRequest, "MultiValuedParamNotSupported"},
	fault.NotFound:        {http.StatusNotFound, "UsageError"},
	fault.Unauthenticated: {http.StatusUnauthorized, "AuthenticationError"},
	fault.Forbidden:       {http.StatusForbidden, "AuthorizationError"},
	fault.Phase:           {http.StatusForbidden, "UsageError"},
	fault.NoOverlap:       {http.StatusNoContent, "UsageError"},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, "UsageError"},
	fault.Quota:           {http.StatusTooManyRequests, "ServiceUnavailable"},
	fault.Unsupported:     {http.StatusBadRequest, "UsageError"},
	fault.Corrupt:         {http.StatusUnprocessableEntity, "Error"},
	fault.Unavailable:     {http.StatusServiceUnavailable, "ServiceUnavailable"},
	fault.Internal:        {http.StatusInternalServerError, "Error"},
}

// retryAfter is what a client that meets a passing failure is asked to wait, if the failure
// does not know better.
const retryAfter = 10 * time.Second

// ErrorText returns the text of an error as SODA and DALI want it: the label first, then
// a sentence.
func ErrorText(code fault.Code, sentence string) string {
	a, ok := answers[code]
	if !ok {
		a = answers[fault.Internal]
	}
	return a.label + ": " + sentence
}

// FailureText returns the text of the error of a job, or "" if it has none.
func FailureText(f *uws.Failure) string {
	if f == nil {
		return ""
	}
	return ErrorText(fault.Code(f.Code), f.Message)
}

// fail answers with an error: text/plain, the label first, or what the client prefers.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := fault.CodeOf(err)
	a, ok := answers[code]
	if !ok {
		code, a = fault.Internal, answers[fault.Internal]
	}
	if code == fault.Internal {
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if a.status == http.StatusNoContent {
		w.WriteHeader(a.status)
		return
	}
	sayAfter(w, a.status, err)
	if a.status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = s.Auth.Challenges(r)
	}
	sayError(w, r, a.status, code, fault.Sentence(err))
}

// sayAfter says when to ask again, where that may help.
func sayAfter(w http.ResponseWriter, status int, err error) {
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		seconds := (cmp.Or(fault.After(err), retryAfter) + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
}

// sayError answers with an error as text or, if the client prefers that, as a problem
// document (RFC 9457).
func sayError(w http.ResponseWriter, r *http.Request, status int, code fault.Code, sentence string) {
	telemetry.From(r.Context()).Refused(r.Context(), code)
	w.Header().Set("Vary", "Accept")
	if preferred(r, "text/plain", "application/problem+json", "application/json") == "text/plain" {
		text(w, status, ErrorText(code, sentence)+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // the client may have left
		Title  string     `json:"title"`
		Status int        `json:"status"`
		Detail string     `json:"detail"`
		Code   fault.Code `json:"code"`
	}{answers[code].label, status, sentence, code})
}

// preferred returns the media type among offers that the request's Accept likes best, the
// first of them if it likes several as much (RFC 9110, section 12.5.1).
func preferred(r *http.Request, offers ...string) string {
	type weight struct {
		q     float64
		exact int // 2: the type itself is named, 1: its family, 0: anything
	}
	weights := make(map[string]weight)
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, options, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(options["q"], 64)
		if err != nil {
			q = 1
		}
		for _, offer := range offers {
			family, _, _ := strings.Cut(offer, "/")
			exact := slices.Index([]string{"*/*", family + "/*", offer}, kind)
			if known, found := weights[offer]; exact >= 0 && (!found || exact >= known.exact) {
				weights[offer] = weight{q, exact}
			}
		}
	}
	best := offers[0]
	for _, offer := range offers[1:] {
		if w, b := weights[offer], weights[best]; w.q > b.q || w.q == b.q && w.exact > b.exact {
			best = offer
		}
	}
	return best
}

// text answers with a body of text/plain.
func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}
