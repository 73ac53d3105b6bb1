package archive_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/archive/archivetest"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

var team = archive.Viewer{Groups: []string{"other", "team"}}

// folder returns a root over a new folder that holds the files.
func folder(t testing.TB, files map[string]string) objects.Root {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := objects.OpenRoot(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func bucket(t testing.TB, files map[string]string) objects.Root {
	t.Helper()
	b := memblob.OpenBucket(nil)
	for name, data := range files {
		if err := b.WriteAll(t.Context(), name, []byte(data), nil); err != nil {
			t.Fatal(err)
		}
	}
	root := objects.NewBlobRoot(b, "mem://", nil)
	t.Cleanup(func() { root.Close() })
	return root
}

func collections(t testing.TB, all ...archive.Collection) *archive.Collections {
	t.Helper()
	c, err := archive.NewCollections(all...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCollections(t *testing.T) {
	archivetest.Run(t, func(t *testing.T) archivetest.Fixture {
		return archivetest.Fixture{
			Resolver: collections(t,
				archive.Collection{Prefix: "ivo://localhost/real?", Root: folder(t, map[string]string{"m31.fits": "m31", "hst/a b+c.fits.gz": "hst"})},
				archive.Collection{Prefix: "ivo://example.org/secret?", Groups: []string{"team"}, Root: folder(t, map[string]string{"s.fits": "secret", "a.fits": "a"})},
				archive.Collection{Prefix: "ivo://example.org/dr1?", Root: bucket(t, map[string]string{"tiles/1.FITS.FZ": "tile"})},
			),
			Public: map[string]string{
				"ivo://localhost/real?m31.fits": "m31", "ivo://localhost/real?hst/a b+c.fits.gz": "hst", "ivo://example.org/dr1?tiles/1.FITS.FZ": "tile",
			},
			Private: map[string]string{"ivo://example.org/secret?s.fits": "secret"},
			Lists:   true,
		}
	})
}

func TestLongestPrefixCounts(t *testing.T) {
	c := collections(t,
		archive.Collection{Prefix: "ivo://x/dr?", Root: folder(t, map[string]string{"a.fits": "outer", "new/a.fits": "hidden"})},
		archive.Collection{Prefix: "ivo://x/dr?new/", Root: folder(t, map[string]string{"a.fits": "inner"})},
		archive.Collection{Prefix: "ivo://x/dr?new/team/", Groups: []string{"team"}, Root: folder(t, map[string]string{"a.fits": "team"})},
	)
	for id, want := range map[string]string{
		"ivo://x/dr?a.fits": "outer", "ivo://x/dr?new/a.fits": "inner", "ivo://x/dr?new/team/a.fits": "team",
	} {
		d, err := c.Resolve(t.Context(), id, team)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, d); got != want {
			t.Errorf("%q is of the collection %q; want %q", id, got, want)
		}
		if d.Public != (want != "team") {
			t.Errorf("%q is public: %t", id, d.Public)
		}
	}
	// What the private collection refuses must not fall to the public one around it.
	if d, err := c.Resolve(t.Context(), "ivo://x/dr?new/team/", archive.Viewer{}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the prefix of the private collection: %v, %v; want NotFound", d, err)
	}
}

func read(t testing.TB, d *archive.Dataset) string {
	t.Helper()
	src, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	data, err := io.ReadAll(io.NewSectionReader(objects.Bind(t.Context(), src, nil), 0, src.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestUnknownIDSaysWhatIsPublic(t *testing.T) {
	root := folder(t, nil)
	c := collections(t,
		archive.Collection{Prefix: "ivo://x/a?", Root: root},
		archive.Collection{Prefix: "ivo://x/secret?", Root: root, Groups: []string{"team"}},
		archive.Collection{Prefix: "ivo://x/b?", Root: root},
	)
	for _, tt := range []struct {
		id   string
		code fault.Code
		want string
	}{
		{"ivo://x/c?a.fits", fault.NotFound, `there is no dataset with the ID "ivo://x/c?a.fits"; the public IDs begin with ivo://x/a? or ivo://x/b?`},
		{"ivo://x/a?../b", fault.Usage, `the ID does not name a dataset of ivo://x/a?: the name "../b" has the part ".."; want a path without . and ..`},
		{"ivo://x/a?", fault.Usage, `the ID does not name a dataset of ivo://x/a?: the name of the object is empty; want a relative path such as dr1/image.fits`},
		{strings.Repeat("é", 60), fault.NotFound, `there is no dataset with the ID "` + strings.Repeat("é", 50) + `…"; the public IDs begin with ivo://x/a? or ivo://x/b?`},
		{"x" + strings.Repeat("é", 60), fault.NotFound, `there is no dataset with the ID "x` + strings.Repeat("é", 49) + `…"; the public IDs begin with ivo://x/a? or ivo://x/b?`},
	} {
		_, err := c.Resolve(t.Context(), tt.id, archive.Viewer{Groups: []string{"other"}})
		if fault.CodeOf(err) != tt.code || fault.Sentence(err) != tt.want {
			t.Errorf("Resolve(%q): %s, %q\nwant %s, %q", tt.id, fault.CodeOf(err), fault.Sentence(err), tt.code, tt.want)
		}
	}
	_, err := collections(t).Resolve(t.Context(), "x", archive.Viewer{})
	if got := fault.Sentence(err); got != `there is no dataset with the ID "x"` {
		t.Errorf("a resolver of nothing says %q", got)
	}
}

func TestNewCollectionsRefuses(t *testing.T) {
	root := folder(t, nil)
	for _, tt := range []struct {
		name string
		all  []archive.Collection
	}{
		{"no prefix", []archive.Collection{{Root: root}}},
		{"a blank", []archive.Collection{{Prefix: "ivo://x/a b?", Root: root}}},
		{"twice", []archive.Collection{{Prefix: "ivo://x/a?", Root: root}, {Prefix: "ivo://x/a?", Root: root}}},
		{"no root", []archive.Collection{{Prefix: "ivo://x/a?"}}},
	} {
		if _, err := archive.NewCollections(tt.all...); fault.CodeOf(err) != fault.Usage {
			t.Errorf("%s: %v; want Usage", tt.name, err)
		}
	}
}

func TestExamplesTakeTurns(t *testing.T) {
	files := map[string]string{"README.txt": "x", "cat.csv": "x"}
	for i := range 5 {
		files[fmt.Sprintf("img%d.fits", i)] = "x"
	}
	web, err := objects.OpenRoot(t.Context(), "https://archive.example.org/")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	c := collections(t,
		archive.Collection{Prefix: "a?", Root: folder(t, files)},
		archive.Collection{Prefix: "secret?", Root: folder(t, files), Groups: []string{"team"}},
		archive.Collection{Prefix: "none?", Root: folder(t, map[string]string{"README": "x"})},
		archive.Collection{Prefix: "web?", Root: web, Examples: []string{"w.fits"}},
		archive.Collection{Prefix: "chosen?", Root: folder(t, files), Examples: []string{"img3.fits"}},
	)
	got, err := c.Examples(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a?img0.fits", "web?w.fits", "chosen?img3.fits", "a?img1.fits", "a?img2.fits"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Examples (-want +got):\n%s", diff)
	}
}

func TestParseArchive(t *testing.T) {
	for _, tt := range []struct{ spec, name, location string }{
		{"real=/data/real", "real", "/data/real"},
		{"dr1.2_b-c=gs://bucket/dr1", "dr1.2_b-c", "gs://bucket/dr1"},
		{"a=rel=ative", "a", "rel=ative"},
		{"a=.", "a", "."},
		{"a=https://example.org/x", "a", "https://example.org/x"},
	} {
		name, location, err := archive.ParseArchive(tt.spec)
		if name != tt.name || location != tt.location || err != nil {
			t.Errorf("ParseArchive(%q): %q, %q, %v; want %q, %q", tt.spec, name, location, err, tt.name, tt.location)
		}
	}
	for _, spec := range []string{"", "=", "a=", "=/data", "/data", "https://example.org/?a=b", "a b=/data", "a?=/data", "é=/data", "..=/data", ".=/data", "a/b=/data"} {
		if _, _, err := archive.ParseArchive(spec); fault.CodeOf(err) != fault.Usage {
			t.Errorf("ParseArchive(%q): %v; want Usage", spec, err)
		}
	}
	if got := archive.Prefix(archive.Local, "real"); got != "ivo://localhost/real?" {
		t.Errorf("Prefix: %q", got)
	}
}

// FuzzResolve looks for an ID that reaches outside of a real folder. The folder lies
// beside secrets, and links lead out of it.
func FuzzResolve(f *testing.F) {
	top := f.TempDir()
	put := func(name, data string) {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
			f.Fatal(err)
		}
	}
	put("s", "secret")
	put("a2/s", "secret")
	put("a/i", "inside")
	put("a/d/i", "inside")
	for link, to := range map[string]string{"a/l": "../s", "a/u": "..", "a/d/u": "../..", "a/r": "/"} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			f.Skipf("this file system has no symbolic links: %v", err)
		}
	}
	root, err := objects.OpenRoot(f.Context(), filepath.Join(top, "a"))
	if err != nil {
		f.Fatal(err)
	}
	defer root.Close()
	c := collections(f, archive.Collection{Prefix: "p?", Root: root})
	for _, id := range []string{
		"p?i", "p?d/i", "p?../s", "p?l", "p?u/s", "p?d/u/s", "p?r/etc/passwd", "p?/etc/passwd", "p?..\\s", "p?%2e%2e/s",
		"p?d/../../s", "p?i\x00", "p?./i", "q?i", "", "p?u/a/i", "p?u/a2/s",
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		d, err := c.Resolve(t.Context(), id, team)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.NotFound && code != fault.Usage {
				t.Errorf("Resolve(%q): %v; want NotFound or Usage", id, err)
			}
			return
		}
		if d.ID != id || d.Name == "" || strings.Contains(d.Name, "/") {
			t.Errorf("Resolve(%q): ID %q, Name %q", id, d.ID, d.Name)
		}
		src, err := d.Open(t.Context())
		if err != nil {
			if fault.CodeOf(err) != fault.NotFound {
				t.Errorf("Open of %q: %v; want NotFound", id, err)
			}
			return
		}
		src.Close()
		if got := read(t, d); got != "inside" {
			t.Errorf("%q reaches %q; want nothing outside of the folder", id, got)
		}
		if !slices.Contains([]string{"p?i", "p?d/i"}, id) {
			t.Errorf("%q is another ID of an object that has one", id)
		}
	})
}
