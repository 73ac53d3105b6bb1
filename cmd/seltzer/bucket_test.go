package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// A FITS file is cut where it is, whatever the storage: the bytes are those of a cut of a
// local file, and few of the source's bytes are read.
func TestCutByURL(t *testing.T) {
	image := demoFile(t, "starfield.fits")
	content, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	local := seltzer(t, "", "cut", image, "--circle", inside, "-o", "-")
	for name, open := range map[string]func(t *testing.T, content []byte) (url string, read *byteCount){
		"file": func(t *testing.T, _ []byte) (string, *byteCount) { return "file://" + image, nil },
		"http": serveFile, "s3": serveS3, "gs": serveGCS,
	} {
		t.Run(name, func(t *testing.T) {
			url, read := open(t, content)
			got := seltzer(t, "", "cut", url, "--circle", inside, "-o", filepath.Join(t.TempDir(), "out.fits"))
			if got.status != 0 {
				t.Fatalf("exit status %d: %s", got.status, got.err)
			}
			piped := seltzer(t, "", "cut", url, "--circle", inside, "-o", "-")
			if pixels(piped.out) != pixels(local.out) || len(pixels(local.out)) < 1000 {
				t.Errorf("the cut of %s has other pixels than that of the file", url)
			}
			if read != nil && (read.n.Load() == 0 || read.n.Load() > int64(len(content))/2) {
				t.Errorf("%d bytes of %d were sent for two small cutouts", read.n.Load(), len(content))
			}
			if gone := seltzer(t, "", "info", strings.Replace(url, "starfield", "nothing", 1)); gone.status != exitFailed || strings.Count(gone.err, "\n") != 1 {
				t.Errorf("a file that is not there: exit status %d, %q", gone.status, gone.err)
			}
		})
	}
}

// pixels returns the data of the first HDU of a file.
func pixels(file string) string {
	_, data, _ := strings.Cut(file, "END"+strings.Repeat(" ", 77))
	return strings.TrimLeft(data, " ")
}

// byteCount counts the bytes of all answers.
type byteCount struct{ n atomic.Int64 }

func (c *byteCount) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(countingWriter{w, c}, r)
	})
}

type countingWriter struct {
	http.ResponseWriter
	count *byteCount
}

func (w countingWriter) Write(p []byte) (int, error) {
	w.count.n.Add(int64(len(p)))
	return w.ResponseWriter.Write(p)
}

func serveFile(t *testing.T, content []byte) (string, *byteCount) {
	c := new(byteCount)
	s := httptest.NewServer(c.counting(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a/starfield.fits" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})))
	t.Cleanup(s.Close)
	return s.URL + "/a/starfield.fits", c
}

func serveS3(t *testing.T, content []byte) (string, *byteCount) {
	backend, c := s3mem.New(), new(byteCount)
	if err := backend.CreateBucket("archive"); err != nil {
		t.Fatal(err)
	}
	if _, err := backend.PutObject("archive", "a/starfield.fits", nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(c.counting(gofakes3.New(backend).Server()))
	t.Cleanup(s.Close)
	for key, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(key, value)
	}
	return "s3://archive/a/starfield.fits?region=us-east-1&use_path_style=true&endpoint=" + s.URL, c
}

// serveGCS answers what reading an object takes of the JSON and XML interfaces of Google
// Cloud Storage.
func serveGCS(t *testing.T, content []byte) (string, *byteCount) {
	c := new(byteCount)
	const name = "a/starfield.fits"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /storage/v1/b/archive/o/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") != name {
			http.Error(w, `{"error":{"code":404,"message":"No such object"}}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"kind": "storage#object", "bucket": "archive", "name": name, "generation": "7", "size": strconv.Itoa(len(content)),
			"updated": "2026-03-20T12:00:00Z", "etag": "CAc=", "contentType": "application/fits",
		})
	})
	mux.HandleFunc("GET /archive/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") != name {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Goog-Generation", "7")
		http.ServeContent(w, r, "", time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC), bytes.NewReader(content))
	})
	s := httptest.NewServer(c.counting(mux))
	t.Cleanup(s.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(s.URL, "http://"))
	return "gs://archive/a/starfield.fits", c
}
