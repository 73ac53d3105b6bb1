package drivers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"gocloud.dev/blob"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/objects/gcstest"
	"github.com/seltzer-soda/seltzer/pkg/objects/objectstest"
)

// start starts Google Cloud Storage in this process, with an empty bucket.
func start(t *testing.T) *gcstest.Storage {
	t.Helper()
	s, err := gcstest.Listen(t.Context(), "127.0.0.1:0", "127.0.0.1:0", "", "nobody@example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.CreateBucket("bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", s.API)
	return s
}

func TestArchive(t *testing.T) {
	for _, place := range []string{"gs://bucket", "gs://bucket/dr1/real"} {
		t.Run(place, func(t *testing.T) {
			objectstest.Run(t, func(t *testing.T, files map[string][]byte) objectstest.Archive {
				start(t)
				bucket, err := blob.OpenBucket(t.Context(), "gs://bucket")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { bucket.Close() })
				if prefix := strings.TrimPrefix(place, "gs://bucket"); prefix != "" {
					bucket = blob.PrefixedBucket(bucket, prefix[1:]+"/")
				}
				put := func(name string, data []byte) {
					if err := bucket.WriteAll(context.Background(), name, data, nil); err != nil {
						t.Error(err)
					}
				}
				for name, data := range files {
					put(name, data)
				}
				root, err := OpenRoot(t.Context(), place)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { root.Close() })
				return objectstest.Archive{Root: root, Put: put}
			})
		})
	}
}

func TestBucket(t *testing.T) {
	for _, place := range []string{"gs://bucket", "gs://bucket/results"} {
		t.Run(place, func(t *testing.T) {
			objectstest.RunBucket(t, func(t *testing.T) *objects.Bucket {
				start(t)
				b, err := objects.OpenBucket(t.Context(), place)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { b.Close() })
				return b
			})
		})
	}
}

// A replacement of the same size, at the same instant, is another generation all the same.
func TestGenerationIsPinned(t *testing.T) {
	start(t)
	bucket, err := blob.OpenBucket(t.Context(), "gs://bucket")
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	root, err := OpenRoot(t.Context(), "gs://bucket")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	seen := map[string]bool{}
	for range 3 {
		if err := bucket.WriteAll(t.Context(), "a.fits", []byte("0123456789"), nil); err != nil {
			t.Fatal(err)
		}
		source, err := root.Open(t.Context(), "a.fits")
		if err != nil {
			t.Fatal(err)
		}
		if seen[source.Generation()] || source.Generation() == "" {
			t.Errorf("generation %q was seen before, or is empty", source.Generation())
		}
		seen[source.Generation()] = true
		if err := bucket.WriteAll(t.Context(), "a.fits", []byte("abcdefghij"), nil); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 4)
		if n, err := source.ReadAt(t.Context(), p, 0); !errors.Is(err, fault.Unavailable) {
			t.Errorf("%q, %v of an object that was replaced; want %s", p[:n], err, fault.Unavailable)
		}
	}
}

// A write whose answer is lost is done all the same, and the driver's second try, which finds
// the object there, is no error; the object of another writer is.
func TestWriteWhoseAnswerIsLost(t *testing.T) {
	s := start(t)
	target := &url.URL{Scheme: "http", Host: s.API}
	var lose, uploads atomic.Int32
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = s.API
		},
		ModifyResponse: func(r *http.Response) error {
			if strings.HasPrefix(r.Request.URL.Path, "/upload/") {
				uploads.Add(1)
				if lose.Add(-1) >= 0 {
					_, _ = io.Copy(io.Discard, r.Body)
					r.StatusCode, r.Status = http.StatusServiceUnavailable, "503 Service Unavailable"
				}
			}
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", front.Listener.Addr().String())
	bucket, err := objects.OpenBucket(t.Context(), "gs://bucket")
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	write := func() error {
		w, err := bucket.Create(t.Context(), "results/a/1/r.fits", "application/fits")
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Write([]byte("mine")); err != nil {
			return err
		}
		return w.Close()
	}
	lose.Store(1)
	if err := write(); err != nil {
		t.Errorf("the write whose answer was lost: %v", err)
	}
	if n := uploads.Load(); n != 2 {
		t.Errorf("%d uploads, want a second after the lost answer", n)
	}
	if err := write(); !errors.Is(err, objects.ErrExists) {
		t.Errorf("another write of the same name: %v, want %v", err, objects.ErrExists)
	}
}
