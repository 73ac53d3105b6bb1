package holdingstest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// testRights checks that images of private collections show to who may see them alone, whoever
// asked before or asks at the same time, and that rights that change count at once.
func testRights(t *testing.T, s holdings.Store) {
	x := index(t, pointing(10, 20))
	for _, prefix := range []string{Prefix, Private, Own, gone} {
		put(t, s, holdings.New(prefix, source{"everywhere.fits", "g", 1, time.Time{}}, x), "")
	}
	x = index(t, pointing(30, -20)) // where nothing is public
	for _, prefix := range []string{Private, Own, gone} {
		put(t, s, holdings.New(prefix, source{"hidden.fits", "g", 1, time.Time{}}, x), "")
	}
	asked := []sky.Vec{sky.FromDegrees(10, 20), sky.FromDegrees(30, -20), sky.FromDegrees(200, 0)}
	type viewer struct {
		name string
		archive.Viewer
		private []string // that they see
	}
	viewers := []viewer{
		{"nobody", archive.Viewer{}, nil},
		{"a signed-in stranger", archive.Viewer{Groups: []string{"eve", "others", "tea", "teams", ""}}, nil},
		{"a member", archive.Viewer{Groups: []string{"others", "team"}}, []string{Private}},
		{"an owner, by themselves", archive.Viewer{Groups: []string{"ada"}}, []string{Own}},
		{"the other owner, by a job", archive.Owner(&uws.Job{Owner: "bob", Groups: []string{"bob"}}), []string{Own}},
		{"a job whose owner is only named like a group", archive.Owner(&uws.Job{Owner: "team"}), nil},
		{"an owner who is a member", archive.Viewer{Groups: []string{"ada", "team"}}, []string{Own, Private}},
		{"an operator, by a job", archive.Owner(&uws.Job{Owner: "root", SeesAll: true}), []string{Own, Private}},
	}
	ask := func(f *holdings.Finder, v viewer) {
		t.Helper()
		var everywhere, hidden []string
		for _, prefix := range v.private {
			everywhere, hidden = append(everywhere, prefix+"everywhere.fits"), append(hidden, prefix+"hidden.fits")
		}
		want := [][]string{append(everywhere, Prefix+"everywhere.fits"), hidden, nil}
		slices.Sort(want[0])
		got, err := f.Holding(t.Context(), v.Viewer, asked)
		if err != nil || !slices.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("%s finds %q, %v; want %q", v.name, got, err, want)
		}
	}
	shared := holdings.NewFinder(s, Archive(t))
	for _, v := range viewers {
		ask(holdings.NewFinder(s, Archive(t)), v) // the first to ask
		ask(shared, v)
	}
	var all sync.WaitGroup
	for _, v := range viewers { // after those who see everything
		all.Go(func() { ask(shared, v) })
	}
	all.Wait()

	moved := holdings.NewFinder(s, archiveFor(t, "others"))
	ask(moved, viewer{"who was a member", archive.Viewer{Groups: []string{"team"}}, nil})
	ask(moved, viewer{"who has become one", archive.Viewer{Groups: []string{"others"}}, []string{Private}})
}
