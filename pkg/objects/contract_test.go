package objects_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/objects/objectstest"
)

// tick is longer than the step of the kernel's clock for times of files (4 to 10 ms).
const tick = 20 * time.Millisecond

func openRoot(t *testing.T, rawURL string) objects.Root {
	t.Helper()
	root, err := objects.OpenRoot(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return root
}

// write writes a file below dir as an archive's operator would, renamed into place or not.
func write(t *testing.T, dir, name string, data []byte, rename bool) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if rename {
		defer func() {
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}()
		if err := os.WriteFile(path+".new", data, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		url    string // with %s for the folder
		rename bool
	}{{"path, replaced by renaming", "%s", true}, {"URL, rewritten in place", "file://%s", false}} {
		t.Run(tt.name, func(t *testing.T) {
			objectstest.Run(t, func(t *testing.T, files map[string][]byte) objectstest.Archive {
				dir := t.TempDir()
				for name, data := range files {
					write(t, dir, name, data, false)
				}
				return objectstest.Archive{
					Root: openRoot(t, fmt.Sprintf(tt.url, dir)),
					Put: func(name string, data []byte) {
						time.Sleep(tick)
						write(t, dir, name, data, tt.rename)
					},
				}
			})
		})
	}
}

func TestBlobRoot(t *testing.T) {
	for _, tt := range []struct{ name, prefix string }{{"whole bucket", ""}, {"below a prefix", "dr1/real/"}} {
		t.Run(tt.name, func(t *testing.T) {
			objectstest.Run(t, func(t *testing.T, files map[string][]byte) objectstest.Archive {
				bucket := memblob.OpenBucket(nil)
				if tt.prefix != "" {
					bucket = blob.PrefixedBucket(bucket, tt.prefix)
				}
				put := func(name string, data []byte) {
					if err := bucket.WriteAll(context.Background(), name, data, nil); err != nil {
						t.Error(err)
					}
				}
				for name, data := range files {
					put(name, data)
				}
				root := objects.NewBlobRoot(bucket, "mem://test", nil)
				t.Cleanup(func() { root.Close() })
				return objectstest.Archive{Root: root, Put: put}
			})
		})
	}
}

// server is a web archive: files in memory, answered by net/http's own ranges.
type server struct {
	mu       sync.Mutex
	files    map[string][]byte
	modified map[string]time.Time
	etag     string // how ETags are written, with %x for the time; "" for none
	noTime   bool   // no Last-Modified
}

func (s *server) put(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, ok := s.modified[name]
	if !ok {
		was = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	s.files[name], s.modified[name] = data, was.Add(time.Second)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	name := strings.TrimPrefix(r.URL.Path, "/archive/")
	data, ok := s.files[name]
	modified := s.modified[name]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	if s.etag != "" {
		w.Header().Set("ETag", fmt.Sprintf(s.etag, modified.Unix()))
	}
	if s.noTime {
		modified = time.Time{}
	}
	w.Header().Set("Content-Type", "application/fits")
	http.ServeContent(w, r, "", modified, bytes.NewReader(data))
}

func TestWeb(t *testing.T) {
	for _, tt := range []struct {
		name   string
		etag   string
		noTime bool
	}{
		{"strong ETag and time", `"%x"`, false},
		{"strong ETag alone", `"%x"`, true},
		{"weak ETag and time", `W/"%x"`, false},
		{"time alone", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objectstest.Run(t, func(t *testing.T, files map[string][]byte) objectstest.Archive {
				s := &server{files: map[string][]byte{}, modified: map[string]time.Time{}, etag: tt.etag, noTime: tt.noTime}
				for name, data := range files {
					s.put(name, data)
				}
				listen := httptest.NewServer(s)
				root := openRoot(t, listen.URL+"/archive")
				t.Cleanup(listen.Close)
				return objectstest.Archive{Root: root, Put: s.put}
			})
		})
	}
}

func TestBucket(t *testing.T) {
	for _, tt := range []struct {
		name string
		url  func(*testing.T) string
	}{
		{"folder", func(t *testing.T) string { return filepath.Join(t.TempDir(), "results") }},
		{"folder as URL", func(t *testing.T) string { return "file://" + t.TempDir() }},
		{"memory", func(*testing.T) string { return "mem://" }},
		{"memory below a prefix", func(*testing.T) string { return "mem://bucket/seltzer" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objectstest.RunBucket(t, func(t *testing.T) *objects.Bucket {
				b, err := objects.OpenBucket(t.Context(), tt.url(t))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { b.Close() })
				return b
			})
		})
	}
}
