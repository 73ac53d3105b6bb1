package holdingstest

import (
	"bufio"
	"bytes"
	_ "embed" // positions.jsonl
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// positions is what astropy says of images and positions: scripts/golden/holdings.py.
//
//go:embed testdata/positions.jsonl
var positions []byte

// Archive returns an archive of two empty collections, one of which is for a group.
func Archive(t testing.TB) archive.Resolver {
	t.Helper()
	root, err := objects.OpenRoot(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	c, err := archive.NewCollections(archive.Collection{Prefix: Prefix, Root: root}, archive.Collection{Prefix: Private, Root: root, Groups: []string{"team"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Private begins the IDs of the archive's collection that is for a group.
const Private = "ivo://example.org/secret?"

func testPositions(t *testing.T, s holdings.Store) { Positions(t, s, 8) }

// Positions checks over an empty store that images hold the positions that astropy says, at
// poles and across RA 0 too, of which it takes one in every so many, or all for who belongs to no group. The same images in a
// collection that is for others, or that there is no more, do not show.
func Positions(t *testing.T, s holdings.Store, every int) {
	type line struct {
		Name  string
		Cards []string
		RA    float64
		Dec   float64
		In    []string
	}
	var asked []sky.Vec
	var want []line
	images, n := 0, 0
	for lines := bufio.NewScanner(bytes.NewReader(positions)); lines.Scan(); {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Cards != nil:
			images++
			x := index(t, l.Cards)
			for _, prefix := range []string{Prefix, Private, "ivo://example.org/gone?"} {
				put(t, s, holdings.New(prefix, source{l.Name, "g", 1, time.Time{}}, x), "")
			}
		case l.In != nil:
			if n++; n%every > 0 {
				continue
			}
			asked = append(asked, sky.FromDegrees(l.RA, l.Dec))
			want = append(want, l)
		}
	}
	if images < 30 || n < 300 {
		t.Fatalf("%d images and %d positions", images, n)
	}
	f := holdings.NewFinder(s, Archive(t))
	viewers := []archive.Viewer{{Groups: []string{"others"}}, {Groups: []string{"others", "team"}}, {All: true}, {}}
	if every == 1 {
		viewers = viewers[len(viewers)-1:]
	}
	for _, viewer := range viewers {
		prefixes := []string{Prefix}
		if viewer.All || slices.Contains(viewer.Groups, "team") {
			prefixes = []string{Private, Prefix}
		}
		got, err := f.Holding(t.Context(), viewer, asked)
		if err != nil || len(got) != len(asked) {
			t.Fatalf("%+v: %d answers for %d positions, %v", viewer, len(got), len(asked), err)
		}
		for i, ids := range got {
			var in []string
			for _, prefix := range prefixes {
				for _, name := range want[i].In {
					in = append(in, prefix+name)
				}
			}
			if slices.Sort(in); !slices.Equal(ids, in) {
				t.Errorf("%+v: position %.9f %.9f is in\n%q, want\n%q", viewer, want[i].RA, want[i].Dec, ids, in)
			}
		}
	}
}
