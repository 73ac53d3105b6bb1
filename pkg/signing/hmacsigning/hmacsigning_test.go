package hmacsigning

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/signing"
	"github.com/seltzer-soda/seltzer/pkg/signing/signingtest"
)

var testKey = bytes.Repeat([]byte{7}, KeySize)

// label stands for the table that writes the texts of errors.
func label(code fault.Code, sentence string) string { return string(code) + ": " + sentence }

// open returns a signer, its bucket, and a way to fill it; base is the path of its URLs.
func open(t *testing.T, base string) (*Signer, *objects.Bucket, func(name string, data []byte)) {
	t.Helper()
	bucket, err := objects.OpenBucket(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	mux := http.NewServeMux()
	listen := httptest.NewServer(mux)
	t.Cleanup(listen.Close)
	s, err := New(testKey, listen.URL+base)
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle(strings.TrimRight(base, "/")+"/", s.Handler(bucket, label))
	return s, bucket, func(name string, data []byte) {
		t.Helper()
		w, err := bucket.Create(context.Background(), name, "application/fits")
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestContract(t *testing.T) {
	for _, base := range []string{"", "/files", "/deep/er/"} {
		t.Run("base "+base, func(t *testing.T) {
			t.Parallel() // it sleeps
			signingtest.Run(t, func(t *testing.T) (signing.Signer, func(string, []byte), *http.Client) {
				s, _, put := open(t, base)
				return s, put, http.DefaultClient
			})
		})
	}
}

func TestAnswers(t *testing.T) {
	s, _, put := open(t, "/files")
	put("results/a1/1/M31.fits", []byte("0123456789"))
	grant := signing.Request{Object: "results/a1/1/M31.fits", Method: "GET", Expiry: 15 * time.Minute, MIME: "application/fits"}
	signed, err := s.SignedURL(t.Context(), grant)
	if err != nil {
		t.Fatal(err)
	}
	grant.Object = "results/a1/1/gone.fits"
	gone, err := s.SignedURL(t.Context(), grant)
	if err != nil {
		t.Fatal(err)
	}
	grant.Object, grant.Expiry = "results/a1/1/M31.fits", time.Hour
	s.now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	old, err := s.SignedURL(t.Context(), grant)
	if err != nil {
		t.Fatal(err)
	}
	s.now = time.Now
	bare, _, _ := strings.Cut(signed, "?")
	if !strings.HasSuffix(bare, "/files/results/a1/1/M31.fits") {
		t.Errorf("the path is %q; want it to end with the object's name, which clients save under", bare)
	}
	for _, tt := range []struct {
		name, method, url string
		status            int
		says              string
		header            map[string]string
	}{
		{"granted", "GET", signed, 200, "0123456789", map[string]string{
			"Content-Type": "application/fits", "Content-Disposition": `attachment; filename="M31.fits"`,
			"Cache-Control": "private, max-age=60", "Accept-Ranges": "bytes", "Content-Length": "10",
		}},
		{"head", "HEAD", signed, 200, "", map[string]string{"Content-Type": "application/fits", "Content-Length": "10"}},
		{"preflight", "OPTIONS", signed, 204, "", map[string]string{
			"Access-Control-Allow-Methods": "GET, HEAD",
			"Access-Control-Allow-Headers": "Authorization, Range, If-Range, If-None-Match, If-Modified-Since",
		}},
		{"changed", "GET", signed + "0", 403, "Forbidden: the signature of this address does not fit it; ask the job's result again for a fresh one\n",
			map[string]string{"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}},
		{"unsigned", "GET", bare, 403, "Forbidden: this address of a result carries no signature, or not all of it; ask the job's result again for a fresh one\n", nil},
		{"a parameter twice", "GET", signed + "&name=x", 403, "Forbidden: this address of a result carries no signature", nil},
		{"bad escape", "GET", signed + "&x=%zz", 403, "Forbidden: this address of a result carries no signature", nil},
		{"expired", "GET", old, 403, "Forbidden: this address of a result has expired; ask the job's result again for a fresh one\n", nil},
		{"gone", "GET", gone, 404, "NotFound: this result is no longer kept; run the job again to have it anew\n",
			map[string]string{"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": ""}},
		{"written to", "PUT", signed, 405, "Usage: results can only be read", map[string]string{"Allow": "GET, HEAD, OPTIONS"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != tt.status || !strings.HasPrefix(string(body), tt.says) || tt.says == "" && len(body) > 0 {
				t.Errorf("status %d, %q, %v; want %d, %q", answer.StatusCode, body, err, tt.status, tt.says)
			}
			for key, want := range tt.header {
				if got := answer.Header.Get(key); got != want {
					t.Errorf("%s: %q; want %q", key, got, want)
				}
			}
			for key, want := range map[string]string{ // in every answer
				"Access-Control-Allow-Origin": "*", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
				"Access-Control-Expose-Headers": "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Location",
			} {
				if got := answer.Header.Get(key); got != want {
					t.Errorf("%s: %q; want %q", key, got, want)
				}
			}
		})
	}
}

// TestConditionalAsking: a viewer that has a result need not load it again.
func TestConditionalAsking(t *testing.T) {
	s, _, put := open(t, "/files")
	put("r.fits", []byte("0123456789"))
	signed, err := s.SignedURL(t.Context(), signing.Request{Object: "r.fits", Method: "GET", Expiry: time.Minute, MIME: "application/fits"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := http.Get(signed)
	if err != nil {
		t.Fatal(err)
	}
	first.Body.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", signed, nil)
	r.Header.Set("If-None-Match", first.Header.Get("ETag"))
	again, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	again.Body.Close()
	if first.Header.Get("ETag") == "" || again.StatusCode != http.StatusNotModified {
		t.Errorf("ETag %q, then status %d; want an ETag and 304", first.Header.Get("ETag"), again.StatusCode)
	}
}

func TestBucketThatDoesNotAnswer(t *testing.T) {
	s, bucket, put := open(t, "/files")
	put("r.fits", []byte("x"))
	signed, err := s.SignedURL(t.Context(), signing.Request{Object: "r.fits", Method: "GET", Expiry: time.Minute, MIME: "application/fits"})
	if err != nil {
		t.Fatal(err)
	}
	bucket.Close()
	answer, err := http.Get(signed)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || !strings.HasPrefix(string(body), "Unavailable: ") {
		t.Errorf("status %d, Retry-After %q, %q; want 503 with both", answer.StatusCode, answer.Header.Get("Retry-After"), body)
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	s, bucket, put := open(t, "/files")
	put("r.fits", []byte("x"))
	other, err := New(bytes.Repeat([]byte{8}, KeySize), s.base.String())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := other.SignedURL(t.Context(), signing.Request{Object: "r.fits", Method: "GET", Expiry: time.Minute, MIME: "application/fits"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.Handler(bucket, label).ServeHTTP(w, httptest.NewRequest("GET", signed, nil))
	if w.Code != 403 {
		t.Errorf("status %d; want 403", w.Code)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		key  []byte
		base string
	}{
		{nil, "https://h/files"}, {testKey[:16], "https://h/files"}, {testKey, ""}, {testKey, "/files"}, {testKey, "ftp://h/"},
		{testKey, "https://h/files?x=1"}, {testKey, "https://u@h/files"}, {testKey, "https://h/#x"}, {testKey, "https://"}, {testKey, "https://h:port/"},
	} {
		if _, err := New(tt.key, tt.base); fault.CodeOf(err) != fault.Usage {
			t.Errorf("New(%d bytes, %q): %v; want Usage", len(tt.key), tt.base, err)
		}
	}
}

func TestLoadKey(t *testing.T) {
	dir := t.TempDir()
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := LoadKey(dir)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, key := range keys {
		if len(key) != KeySize || !bytes.Equal(key, keys[0]) || bytes.Equal(key, make([]byte, KeySize)) {
			t.Fatalf("keys made at once: %x and %x; want the same %d random bytes", key, keys[0], KeySize)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the key alone", entries, err)
	}
	path := filepath.Join(dir, keyFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the file has mode %v, %v; want 0600", info.Mode(), err)
	}
	if other, err := LoadKey(t.TempDir()); err != nil || bytes.Equal(other, keys[0]) {
		t.Errorf("another folder's key: %x, %v; want another one", other, err)
	}

	for _, length := range []int{0, 31, 33} {
		if err := os.WriteFile(path, make([]byte, length), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(dir); fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "want 32") {
			t.Errorf("a key of %d bytes: %v; want Usage that says 32", length, err)
		}
	}
	if _, err := LoadKey(filepath.Join(dir, "none")); fault.CodeOf(err) != fault.Usage {
		t.Errorf("no folder: %v; want Usage", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.WriteFile(path, make([]byte, KeySize), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o620, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(dir); fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v; want Usage that says chmod 600", mode, err)
		}
	}
}

// FuzzDisposition holds the header against Go's reader of it: it gives the name back, and
// never holds what would end a header.
func FuzzDisposition(f *testing.F) {
	for _, name := range []string{"M31.fits", `a"b\c.fits`, "é – Ω.fits", "50%.fits", "a;b=c.fits", "'", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !utf8.ValidString(name) {
			return // refused before
		}
		header := signing.Disposition(name)
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("the header for %q holds more than printable ASCII: %q", name, header)
		}
		_, params, err := mime.ParseMediaType(header)
		if err != nil || params["filename"] != name {
			t.Errorf("the header for %q, %q, is read as %q, %v", name, header, params["filename"], err)
		}
	})
}

// FuzzVerify looks for a URL beside the signed one that is granted too.
func FuzzVerify(f *testing.F) {
	s, err := New(testKey, "https://soda.example.org/files")
	if err != nil {
		f.Fatal(err)
	}
	s.now = func() time.Time { return time.Unix(1_800_000_000, 0) } // the fuzzer's processes start at different seconds
	signed, err := s.SignedURL(f.Context(), signing.Request{Object: "results/a1/r.fits", Method: "GET", Expiry: time.Hour, MIME: "application/fits"})
	if err != nil {
		f.Fatal(err)
	}
	u, err := url.Parse(signed)
	if err != nil {
		f.Fatal(err)
	}
	right := u.Query()
	f.Add("results/a1/r.fits", u.RawQuery)
	f.Add("results/a1/r.fits\n", u.RawQuery)
	f.Add("results/a2/r.fits", strings.Replace(u.RawQuery, "name=", "name=x&name=", 1))
	f.Fuzz(func(t *testing.T, object, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		g, err := s.verify(object, query)
		if err != nil {
			if fault.CodeOf(err) != fault.Forbidden {
				t.Errorf("%q, %q: %v; want Forbidden", object, raw, err)
			}
			return
		}
		if g.object != "results/a1/r.fits" || g.name != "r.fits" || g.mime != "application/fits" || g.method != "GET" || g.expires != right.Get("expires") {
			t.Errorf("%q, %q grants %+v, which nobody signed", object, raw, g)
		}
	})
}
