// Package archivetest holds the rules that every resolver of dataset IDs keeps, as tests:
// a resolver keeps the contract of package archive if [Run] passes on it.
package archivetest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
)

// Fixture is a resolver under test and what it holds.
type Fixture struct {
	Resolver archive.Resolver
	Public   map[string]string // ID → bytes; at least two
	Private  map[string]string // ID → bytes, for the group "team"; at least one
	Lists    bool              // Examples can tell public IDs
}

// Run checks a resolver; open returns a fresh one.
func Run(t *testing.T, open func(*testing.T) Fixture) {
	t.Run("ResolvesWhatItHolds", func(t *testing.T) {
		f := open(t)
		for _, kind := range []struct {
			public bool
			viewer archive.Viewer
			ids    map[string]string
		}{
			{true, archive.Viewer{}, f.Public},
			{true, archive.Viewer{Groups: []string{"other"}}, f.Public},
			{false, archive.Viewer{Groups: []string{"other", "team"}}, f.Private},
			{false, archive.Viewer{All: true}, f.Private},
		} {
			for id, want := range kind.ids {
				d, err := f.Resolver.Resolve(t.Context(), id, kind.viewer)
				if err != nil {
					t.Errorf("Resolve(%q) for %+v: %v", id, kind.viewer, err)
					continue
				}
				if d.ID != id || d.Public != kind.public {
					t.Errorf("Resolve(%q) for %+v: ID %q, public %t; want public %t", id, kind.viewer, d.ID, d.Public, kind.public)
				}
				if d.Name == "" || strings.ContainsAny(d.Name, `/\`) {
					t.Errorf("Resolve(%q): the name for people is %q; want one without slashes", id, d.Name)
				}
				if got := read(t, d); got != want {
					t.Errorf("%q holds %q; want %q", id, got, want)
				}
			}
		}
	})

	t.Run("KnowsNothingElse", func(t *testing.T) {
		f := open(t)
		ids := []string{
			"", " ", "ivo://", "ivo://nobody.example.org/x?a.fits", "http://169.254.169.254/computeMetadata/v1/",
			"https://example.org/a.fits", "file:///etc/passwd", "gs://bucket/a.fits", "/etc/passwd", "..", "a\x00b", "\xff",
			strings.Repeat("x", 100_000),
		}
		for id := range f.Public {
			// No other spelling of an ID is that ID.
			ids = append(ids, " "+id, id+" ", id+"/", id+"/../x", strings.ToUpper(id), id+"\x00", id[:len(id)-1], "x"+id, id+"#frag")
			if i := strings.IndexAny(id, "?#"); i >= 0 {
				ids = append(ids, id[:i], id[:i+1], id[:i+1]+"/"+id[i+1:], id[:i+1]+"./"+id[i+1:], id[:i+1]+"../"+id[i+1:], id[:i+1]+"%2e%2e/"+id[i+1:])
			}
		}
		for _, id := range ids {
			d, err := f.Resolver.Resolve(t.Context(), id, archive.Viewer{All: true})
			if err == nil {
				var src objects.Source
				if src, err = d.Open(t.Context()); err == nil {
					src.Close()
				}
			}
			if code := fault.CodeOf(err); code != fault.NotFound && code != fault.Usage {
				t.Errorf("%.100q: %v; want NotFound or Usage", id, err)
			}
			if s := fault.Sentence(err); len(s) > 4000 || strings.ContainsAny(s, "\x00\n") {
				t.Errorf("%.100q is answered with %d bytes, %.300q; want one short line", id, len(s), s)
			}
		}
	})

	t.Run("KeepsPrivateOnesUnknown", func(t *testing.T) {
		f := open(t)
		// Whatever is asked near a private ID, the answer is that for an ID of nobody.
		_, err := f.Resolver.Resolve(t.Context(), "ivo://nobody.example.org/x?a.fits", archive.Viewer{})
		if !errors.Is(err, fault.NotFound) {
			t.Fatalf("an ID of nobody: %v; want NotFound", err)
		}
		pattern := func(err error, id string) string { return strings.ReplaceAll(fault.Sentence(err), id, "ID") }
		want := pattern(err, "ivo://nobody.example.org/x?a.fits")
		for id := range f.Private {
			i := strings.IndexByte(id, '?') + 1
			for _, viewer := range []archive.Viewer{{}, {Groups: []string{"other", "", "TEAM", "tea", "team ", "*"}}} {
				for _, near := range []string{id, id[:i], id[:i] + "../a.fits", id[:i] + "a//b"} {
					if _, err := f.Resolver.Resolve(t.Context(), near, viewer); !errors.Is(err, fault.NotFound) || pattern(err, near) != want {
						t.Errorf("Resolve(%q) for %+v: %v; want NotFound in the words for an ID of nobody: %s", near, viewer, err, want)
					}
				}
			}
			if strings.Contains(want, id[:max(i, 1)]) {
				t.Errorf("the answer for unknown IDs tells the private prefix %q: %q", id[:i], want)
			}
		}
	})

	t.Run("ShowsExamples", func(t *testing.T) {
		f := open(t)
		for _, n := range []int{0, 1, 2, 1000} {
			ids, err := f.Resolver.Examples(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			if want := min(n, len(f.Public)); f.Lists && len(ids) != want || len(ids) > n {
				t.Errorf("Examples(%d) gave %d; want %d", n, len(ids), want)
			}
			if unique := slices.Compact(slices.Sorted(slices.Values(ids))); len(unique) != len(ids) {
				t.Errorf("Examples(%d) repeats itself: %q", n, ids)
			}
			for _, id := range ids {
				if _, ok := f.Public[id]; !ok {
					t.Errorf("Examples(%d) shows %q; want public IDs alone", n, id)
				}
			}
		}
	})

	t.Run("AnswersManyAtOnce", func(t *testing.T) {
		f := open(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for id, want := range f.Public {
					d, err := f.Resolver.Resolve(t.Context(), id, archive.Viewer{})
					if err != nil {
						t.Error(err)
						return
					}
					if diff := cmp.Diff(want, read(t, d)); diff != "" {
						t.Errorf("%q (-want +got):\n%s", id, diff)
					}
				}
			})
		}
		wg.Wait()
	})

	t.Run("StopsWithItsContext", func(t *testing.T) {
		f := open(t)
		if err := f.Resolver.Check(t.Context()); err != nil {
			t.Errorf("Check: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for id := range f.Public {
			if _, err := f.Resolver.Resolve(ctx, id, archive.Viewer{}); fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("Resolve after the end: %v; want Unavailable", err)
			}
		}
		if _, err := f.Resolver.Examples(ctx, 3); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("Examples after the end: %v; want Unavailable", err)
		}
	})
}

// read returns all bytes of a dataset, or reports why it cannot.
func read(t *testing.T, d *archive.Dataset) string {
	src, err := d.Open(t.Context())
	if err != nil {
		t.Errorf("Open of %q: %v", d.ID, err)
		return ""
	}
	defer src.Close()
	data, err := io.ReadAll(io.NewSectionReader(objects.Bind(t.Context(), src, nil), 0, src.Size()))
	if err != nil {
		t.Errorf("reading %q: %v", d.ID, err)
	}
	return string(data)
}
