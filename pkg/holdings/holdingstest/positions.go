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

// Archive returns an archive of three empty collections, two of which are private.
func Archive(t testing.TB) archive.Resolver { return archiveFor(t, "team") }

// archiveFor returns an archive whose collection Private is for a group.
func archiveFor(t testing.TB, group string) archive.Resolver {
	t.Helper()
	root, err := objects.OpenRoot(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	c, err := archive.NewCollections(archive.Collection{Prefix: Prefix, Root: root},
		archive.Collection{Prefix: Private, Root: root, Groups: []string{group}}, archive.Collection{Prefix: Own, Root: root, Groups: []string{"ada", "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What begins the IDs of the archive's private collections, and of one that it does not have.
const (
	Private = "ivo://example.org/secret?" // for the group team
	Own     = "ivo://example.org/own?"    // for the groups of two owners, ada and bob
	gone    = "ivo://example.org/gone?"
)

func testPositions(t *testing.T, s holdings.Store) { Positions(t, s, 8) }

// Positions checks over an empty store that images hold the positions that astropy says, at
// poles and across RA 0 too, of which it takes one in every so many. The same images in a
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
			for _, prefix := range []string{Prefix, Private, gone} {
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
	got, err := holdings.NewFinder(s, Archive(t)).Holding(t.Context(), archive.Viewer{}, asked)
	if err != nil || len(got) != len(asked) {
		t.Fatalf("%d answers for %d positions, %v", len(got), len(asked), err)
	}
	for i, ids := range got {
		var in []string
		for _, name := range want[i].In {
			in = append(in, Prefix+name)
		}
		if slices.Sort(in); !slices.Equal(ids, in) {
			t.Errorf("position %.9f %.9f is in\n%q, want\n%q", want[i].RA, want[i].Dec, ids, in)
		}
	}
}
