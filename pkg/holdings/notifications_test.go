package holdings_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/demo"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
)

// down is a store that does not answer.
type down struct{ holdings.Store }

func (down) Get(context.Context, ...string) (map[string]*holdings.Holding, error) {
	return nil, fault.New(fault.Unavailable, "test", "the store is down")
}

// What a bucket tells of its objects is held soon, in whatever order it comes.
func TestNotifications(t *testing.T) {
	w := newWorld(t)
	ids := func(bucket, object string) []string {
		if bucket != "b" {
			return nil
		}
		return []string{prefix + strings.TrimPrefix(object, "dr1/")}
	}
	tell := func(event, bucket, object string) int {
		body, err := json.Marshal(map[string]any{"message": map[string]any{
			"data": []byte("{}"), "messageId": "1",
			"attributes": map[string]string{"eventType": event, "bucketId": bucket, "objectId": object, "objectGeneration": "1"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		w.indexer.Notifications(ids, slog.New(slog.DiscardHandler)).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/objects", strings.NewReader(string(body))))
		return rec.Code
	}
	name := demo.Names()[0]
	remove := func() {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	image := w.read(name)
	w.write("broken.fits", []byte("<html>"))
	for _, tt := range []struct {
		what          string
		before        func()
		event, object string
		held          bool
	}{
		{"it came", nil, "OBJECT_FINALIZE", name, true},
		{"again", nil, "OBJECT_FINALIZE", name, true},
		{"it went", remove, "OBJECT_DELETE", name, false},
		{"that it came, late", nil, "OBJECT_FINALIZE", name, false},
		{"it came anew", func() { w.write(name, image) }, "OBJECT_FINALIZE", name, true},
		{"that it went, late", nil, "OBJECT_DELETE", name, true},
		{"a broken one", nil, "OBJECT_FINALIZE", "broken.fits", true},
		{"no image", nil, "OBJECT_FINALIZE", "README.md", true},
		{"one whose name is none", nil, "OBJECT_FINALIZE", "a//b.fits", true},
	} {
		if tt.before != nil {
			tt.before()
		}
		if status := tell(tt.event, "b", "dr1/"+tt.object); status != http.StatusNoContent {
			t.Errorf("%s: status %d", tt.what, status)
		}
		if held := w.held(); slices.Contains(held, name) != tt.held || len(held) > 1 {
			t.Errorf("%s: held are %q", tt.what, held)
		}
	}
	if status := tell("OBJECT_FINALIZE", "another", demo.Names()[1]); status != http.StatusNoContent || len(w.held()) != 1 {
		t.Errorf("of another bucket: status %d, held %q", status, w.held())
	}
	w.indexer.Store = down{w.indexer.Store}
	if status := tell("OBJECT_FINALIZE", "b", name); status != http.StatusServiceUnavailable {
		t.Errorf("while the store is down: status %d", status)
	}
	for body, method := range map[string]string{"no JSON": http.MethodPost, "": http.MethodGet} {
		rec := httptest.NewRecorder()
		w.indexer.Notifications(ids, slog.New(slog.DiscardHandler)).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, "/objects", strings.NewReader(body)))
		if rec.Code != http.StatusBadRequest && rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %q: status %d", method, body, rec.Code)
		}
	}
}
