package hmacsigning

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/signing"
)

// Handler answers GET and HEAD of signed URLs from the bucket, by ranges too; it is to be
// mounted at the path of the base URL. Only the signature counts: an Authorization header
// is ignored, because clients that hold a token for the service send it along when the
// results have the same host. Answers to other origins are allowed, without credentials.
// errorText writes the text of an error answer.
func (s *Signer) Handler(bucket *objects.Bucket, errorText func(code fault.Code, sentence string) string) http.Handler {
	refuse := func(w http.ResponseWriter, status int, code fault.Code, sentence string) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintln(w, errorText(code, sentence))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Location")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			s.serve(w, r, bucket, refuse)
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Allow-Headers", "Authorization, Range, If-Range, If-None-Match, If-Modified-Since")
			h.Set("Access-Control-Max-Age", "3600")
			w.WriteHeader(http.StatusNoContent)
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			refuse(w, http.StatusMethodNotAllowed, fault.Usage, "results can only be read; want GET or HEAD, not "+r.Method)
		}
	})
}

func (s *Signer) serve(w http.ResponseWriter, r *http.Request, bucket *objects.Bucket, refuse func(http.ResponseWriter, int, fault.Code, string)) {
	object := strings.TrimPrefix(r.URL.Path, s.base.Path+"/")
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		query = nil // no signature
	}
	g, err := s.verify(object, query)
	if err != nil {
		refuse(w, http.StatusForbidden, fault.Forbidden, fault.Sentence(err)+"; ask the job's result again for a fresh one")
		return
	}
	o, err := bucket.Open(r.Context(), g.object)
	switch fault.CodeOf(err) {
	case "":
	case fault.NotFound:
		refuse(w, http.StatusNotFound, fault.NotFound, "this result is no longer kept; run the job again to have it anew")
		return
	default:
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, fault.Unavailable, "the result cannot be read now; ask again later")
		return
	}
	defer o.Close()
	end, _ := strconv.ParseInt(g.expires, 10, 64)
	h := w.Header()
	h.Set("Cache-Control", fmt.Sprintf("private, max-age=%d", max(0, min(60, end-s.now().Unix()))))
	h.Set("Content-Type", g.mime)
	h.Set("Content-Disposition", signing.Disposition(g.name))
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, o.ModTime().UnixNano(), o.Size()))
	http.ServeContent(patient{w, http.NewResponseController(w)}, r, "", o.ModTime(), o)
}

// stall is how long a client may take to accept some bytes of an answer. The whole answer
// may take as long as it takes: results can be many GB.
const stall = time.Minute

// patient writes an answer whose deadline moves on as bytes flow.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w patient) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(stall)) // a writer without deadlines has none to move
	return w.ResponseWriter.Write(p)
}
