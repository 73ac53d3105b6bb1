package holdings_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/demo"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/holdingstest"
	"github.com/seltzer-soda/seltzer/pkg/holdings/sqliteholdings"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
)

const prefix = "ivo://example.org/a?"

// world is a folder of images and an indexer of it.
type world struct {
	*testing.T
	dir     string
	archive *archive.Collections
	indexer *holdings.Indexer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir()}
	if err := demo.Write(t.Context(), w.dir); err != nil {
		t.Fatal(err)
	}
	root, err := objects.OpenRoot(t.Context(), w.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	inner, err := objects.OpenRoot(t.Context(), w.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	w.archive, err = archive.NewCollections(archive.Collection{Prefix: prefix, Root: root}, archive.Collection{Prefix: prefix + "inner/", Root: inner, Groups: []string{"team"}})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "holdings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	store, err := sqliteholdings.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	w.indexer = &holdings.Indexer{Store: store, Archive: w.archive}
	return w
}

func (w *world) write(name string, data []byte) {
	w.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path+".new", data, 0o666); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // another file, so another generation
		w.Fatal(err)
	}
}

func (w *world) read(name string) []byte {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.Fatal(err)
	}
	return data
}

// index indexes the outer collection and returns the outcomes by name.
func (w *world) index(ctx context.Context) map[string]string {
	w.Helper()
	got := map[string]string{}
	err := w.indexer.Collection(ctx, w.archive.All()[0], func(id string, outcome holdings.Outcome, err error) {
		got[strings.TrimPrefix(id, prefix)] = string(outcome)
		if (err != nil) != (outcome == holdings.Broken || outcome == holdings.Failed) {
			w.Errorf("%s is %s: %v", id, outcome, err)
		}
	})
	if err != nil && ctx.Err() == nil {
		w.Error(err)
	}
	return got
}

// held returns the names that are held.
func (w *world) held() (names []string) {
	w.Helper()
	for h, err := range w.indexer.Store.List(w.Context(), prefix) {
		if err != nil {
			w.Fatal(err)
		}
		names = append(names, h.Object)
	}
	return names
}

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestIndexer(t *testing.T) {
	w := newWorld(t)
	image := w.read(demo.Names()[0])
	w.write("sub/b c.fits.gz", packed(t, image))
	w.write("broken.fits", image[:5000])
	w.write("empty.FIT", nil)
	w.write("README.txt", []byte("no image"))
	w.write("inner/x.fits", image) // of the other collection, by its ID

	want := map[string]string{"sub/b c.fits.gz": "read", "broken.fits": "broken", "empty.FIT": "broken"}
	for _, name := range demo.Names() {
		want[name] = "read"
	}
	images := len(want) - 2
	if diff := cmp.Diff(want, w.index(t.Context())); diff != "" {
		t.Errorf("the first run (-want +got):\n%s", diff)
	}
	if got := w.held(); len(got) != images || slices.Contains(got, "broken.fits") {
		t.Errorf("held are %q, want %d", got, images)
	}

	// The next day one is new, one has changed, one has broken, one was mended, one is gone.
	for name, outcome := range want {
		if outcome == "read" {
			want[name] = "known"
		}
	}
	w.write("new.fits", image)
	w.write("sub/b c.fits.gz", packed(t, w.read(demo.Names()[1])))
	w.write(demo.Names()[1], []byte("<html>"))
	w.write("broken.fits", image)
	if err := os.Remove(filepath.Join(w.dir, demo.Names()[0])); err != nil {
		t.Fatal(err)
	}
	maps.Copy(want, map[string]string{
		"new.fits": "read", "sub/b c.fits.gz": "read", demo.Names()[1]: "broken", "broken.fits": "read", demo.Names()[0]: "gone",
	})
	if diff := cmp.Diff(want, w.index(t.Context())); diff != "" {
		t.Errorf("the second run (-want +got):\n%s", diff)
	}
	if got := w.held(); len(got) != images || slices.Contains(got, demo.Names()[0]) || slices.Contains(got, demo.Names()[1]) {
		t.Errorf("held are %q", got)
	}

	// One dataset, as a notification names it.
	for _, tt := range []struct {
		name string
		want holdings.Outcome
		code fault.Code
	}{
		{"new.fits", holdings.Known, ""},
		{demo.Names()[0], holdings.Gone, ""},
		{"empty.FIT", holdings.Broken, fault.Corrupt},
		{"inner/x.fits", holdings.Gone, ""}, // the other collection has no object x.fits
		{"a//b.fits", holdings.Failed, fault.Usage},
	} {
		outcome, err := w.indexer.Refresh(t.Context(), prefix+tt.name)
		if outcome != tt.want || tt.code != "" && fault.CodeOf(err) != tt.code || tt.code == "" && err != nil {
			t.Errorf("%s is %s, %v; want %s, %s", tt.name, outcome, err, tt.want, tt.code)
		}
	}
}

// A run that was stopped goes on where it was.
func TestIndexerGoesOn(t *testing.T) {
	w := newWorld(t)
	w.indexer.Parallel = 1
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reads := 0
	store := w.indexer.Store
	w.indexer.Store = &hooked{Store: store, put: func() {
		if reads++; reads == 2 {
			stop()
		}
	}}
	first := w.index(ctx)
	if len(first) >= len(demo.Names()) || len(w.held()) == 0 {
		t.Errorf("the run that was stopped reports %v and holds %v", first, w.held())
	}
	w.indexer.Store = store
	known := len(w.held())
	got := w.index(t.Context())
	n := 0
	for _, outcome := range got {
		if outcome == "known" {
			n++
		}
	}
	if n != known || len(got) != len(demo.Names()) || len(w.held()) != len(demo.Names()) {
		t.Errorf("the next run reports %v, of which %d were held", got, known)
	}
}

// hooked is a store that something happens to before a Put.
type hooked struct {
	holdings.Store
	put func()
}

func (h *hooked) Put(ctx context.Context, x *holdings.Holding, seen string) (bool, error) {
	h.put()
	return h.Store.Put(ctx, x, seen)
}

// Who is slow does not replace what one who came later has read.
func TestIndexersMeet(t *testing.T) {
	w := newWorld(t)
	name := demo.Names()[0]
	store, other := w.indexer.Store, w.read(demo.Names()[1])
	meet := true
	w.indexer.Store = &hooked{Store: store, put: func() {
		if !meet {
			return
		}
		meet = false
		w.write(name, other)
		if outcome, err := (&holdings.Indexer{Store: store, Archive: w.archive}).Refresh(t.Context(), prefix+name); outcome != holdings.Read || err != nil {
			t.Errorf("the other: %s, %v", outcome, err)
		}
	}}
	if outcome, err := w.indexer.Refresh(t.Context(), prefix+name); outcome != holdings.Known || err != nil {
		t.Errorf("%s, %v; want that the present generation is known already", outcome, err)
	}
	held, err := store.Get(t.Context(), prefix+name)
	if err != nil || held[prefix+name] == nil || held[prefix+name].Size != int64(len(other)) {
		t.Errorf("held is %+v, %v; want the file of %d bytes", held[prefix+name], err, len(other))
	}
}

// What was indexed is found by position, until it is gone.
func TestIndexedIsFound(t *testing.T) {
	w := newWorld(t)
	w.index(t.Context())
	f := holdings.NewFinder(w.indexer.Store, w.archive)
	at := func() []string {
		ids, err := f.Holding(t.Context(), archive.Viewer{}, []sky.Vec{sky.FromDegrees(150.1163, 2.2058)})
		if err != nil {
			t.Fatal(err)
		}
		return ids[0]
	}
	if ids := at(); !slices.Contains(ids, prefix+"starfield.fits") {
		t.Errorf("found %q", ids)
	}
	if err := os.Remove(filepath.Join(w.dir, "starfield.fits")); err != nil {
		t.Fatal(err)
	}
	w.index(t.Context())
	if ids := at(); slices.Contains(ids, prefix+"starfield.fits") {
		t.Errorf("when it is gone: %q", ids)
	}
}

func TestArchivesThatCannotBeListed(t *testing.T) {
	web, err := objects.OpenRoot(t.Context(), "https://archive.example.org/")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	x := &holdings.Indexer{Archive: holdingstest.Archive(t)}
	if err := x.Collection(t.Context(), archive.Collection{Prefix: prefix, Root: web}, nil); fault.CodeOf(err) != fault.Unsupported {
		t.Errorf("%v, want %s", err, fault.Unsupported)
	}
}

// Of what is held at the present generation no header is read.
func TestHeadersAreKept(t *testing.T) {
	w := newWorld(t)
	w.index(t.Context())
	name := demo.Names()[0]
	open := func() (requests int64, hdus int) {
		dataset, err := w.archive.Resolve(t.Context(), prefix+name, archive.Viewer{})
		if err != nil {
			t.Fatal(err)
		}
		source, err := dataset.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		var count objects.Count
		file, err := dataset.FITS(t.Context(), indexes.New(1<<20, holdings.Headers(w.indexer.Store)), source, &count)
		if err != nil {
			t.Fatal(err)
		}
		return count.Requests(), len(file.Index.HDUs)
	}
	if requests, hdus := open(); requests != 0 || hdus == 0 {
		t.Errorf("%d requests for %d HDUs, want none", requests, hdus)
	}
	known := &archive.Dataset{ID: prefix + name} // which cannot be read
	if f := known.Known(t.Context(), indexes.New(1<<20, holdings.Headers(w.indexer.Store))); f == nil || len(f.HDUs) == 0 {
		t.Errorf("of what is held nothing is known without its generation: %+v", f)
	}
	if f := (&archive.Dataset{ID: prefix + "none.fits"}).Known(t.Context(), indexes.New(1<<20, holdings.Headers(w.indexer.Store))); f != nil {
		t.Errorf("of what is not held %+v is known", f)
	}
	w.write(name, w.read(demo.Names()[1]))
	if requests, hdus := open(); requests == 0 || hdus == 0 {
		t.Errorf("of another generation: %d requests for %d HDUs", requests, hdus)
	}
}
