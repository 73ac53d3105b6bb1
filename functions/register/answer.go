package register

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
)

// answer keeps the answer to a request until it is whole, and then sends it before the
// handler returns: the process may end right after that, and the server would send it later.
// No function answers with much.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) { a.status = cmp.Or(a.status, status) }

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// send sends the answer.
func (a *answer) send() {
	a.WriteHeader(http.StatusOK)
	h := a.Header()
	if h.Get("Content-Length") == "" && a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(a.body.Len())) // else the end would be a chunk of its own
	}
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = a.ResponseWriter.Write(a.body.Bytes()) // the client may have left
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}
