package api

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/seltzer-soda/seltzer/pkg/fault"
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

// retryAfter is what a client that meets a passing failure is asked to wait, in seconds.
const retryAfter = 10

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

// fail answers with an error: text/plain, the label first.
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
	h := w.Header()
	if a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="seltzer"`)
	}
	text(w, a.status, ErrorText(code, fault.Sentence(err))+"\n")
}

// text answers with a body of text/plain.
func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}
