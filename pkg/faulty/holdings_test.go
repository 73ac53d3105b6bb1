package faulty_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/faulty"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/firestoreholdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/sqliteholdings"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// stores opens true stores of holdings.
var stores = map[string]func(t *testing.T) holdings.Store{
	"SQLite": func(t *testing.T) holdings.Store { return openHoldings(t) },
	"emulators": func(t *testing.T) holdings.Store {
		outside.Firestore(t)
		store, err := firestoreholdings.Open(t.Context(), firestoreholdings.Config{Project: "seltzer-" + uws.NewID()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	},
}

func openHoldings(t *testing.T) *sqliteholdings.Store {
	t.Helper()
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "holdings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := sqliteholdings.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// shelf is a folder of images and a store of what is held of it, which was brought up to date
// some time ago: since then one image came, one changed, one broke and one went.
type shelf struct {
	t      *testing.T
	plan   *faulty.Plan
	prefix string
	dir    string
	root   objects.Root
	store  holdings.Store // of other shelves, too
}

// onShelf says where the images of a shelf are, by RA, before and now; 0 is nowhere.
var onShelf = map[string]struct{ before, now float64 }{
	"broken.fits":  {0, 0},
	"breaks.fits":  {10, 0},
	"changes.fits": {20, 30},
	"comes.fits":   {0, 40},
	"goes.fits":    {50, 0},
	"stays.fits":   {60, 60},
}

func newShelf(t *testing.T, store holdings.Store) *shelf {
	t.Helper()
	s := &shelf{t: t, plan: new(faulty.Plan), prefix: "ivo://example.org/" + uws.NewID() + "?", dir: t.TempDir(), store: store}
	var err error
	if s.root, err = objects.OpenRoot(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.root.Close() })
	for name, at := range onShelf {
		s.put(name, at.before)
	}
	s.put("broken.fits", -1)
	if outcomes, err := s.index(t.Context()); err != nil || len(outcomes) != len(onShelf)-1 {
		t.Fatalf("the first run: %v, %v", outcomes, err)
	}
	for name, at := range onShelf {
		if at.now != at.before {
			s.put(name, at.now)
		}
	}
	s.put("breaks.fits", -1)
	return s
}

// put makes an image be at a place, or nowhere, or, at less than 0, be none.
func (s *shelf) put(name string, ra float64) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	var err error
	switch {
	case ra == 0:
		_ = os.Remove(file)
		return
	case ra < 0:
		err = os.WriteFile(file+".new", []byte("<html>"), 0o600)
	default:
		err = writeImage(file+".new", ra)
	}
	if err == nil {
		err = os.Rename(file+".new", file) // another file, so another generation
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) resolver(root objects.Root) *archive.Collections {
	s.t.Helper()
	r, err := archive.NewCollections(archive.Collection{Prefix: s.prefix, Root: root})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// indexer is one of a new process.
func (s *shelf) indexer() *holdings.Indexer {
	return &holdings.Indexer{Store: s.plan.Holdings(s.store), Archive: s.resolver(s.plan.Archive(s.root)), Parallel: 1}
}

// index is a run over the collection. Of each image it reports once.
func (s *shelf) index(ctx context.Context) (map[string]holdings.Outcome, error) {
	s.t.Helper()
	outcomes := map[string]holdings.Outcome{}
	err := s.indexer().Collection(ctx, archive.Collection{Prefix: s.prefix, Root: s.plan.Archive(s.root)}, func(id string, outcome holdings.Outcome, err error) {
		name := id[len(s.prefix):]
		if before, ok := outcomes[name]; ok {
			s.t.Errorf("%s is %s, and then %s", name, before, outcome)
		}
		if (outcome == holdings.Failed) != fault.Transient(err) {
			s.t.Errorf("%s is %s: %v", name, outcome, err)
		}
		outcomes[name] = outcome
	})
	return outcomes, err
}

// held returns the generations of what is held, by name.
func (s *shelf) held() map[string]string {
	s.t.Helper()
	generations := map[string]string{}
	for h, err := range s.store.List(s.t.Context(), s.prefix) {
		if err != nil {
			s.t.Fatal(err)
		}
		if _, twice := generations[h.Object]; twice {
			s.t.Errorf("%s is held twice", h.Object)
		}
		generations[h.Object] = h.Generation
	}
	return generations
}

// there returns the generations of the images that are there now, by name.
func (s *shelf) there() map[string]string {
	s.t.Helper()
	generations := map[string]string{}
	for name, at := range onShelf {
		if at.now == 0 {
			continue
		}
		source, err := s.root.Open(s.t.Context(), name)
		if err != nil {
			s.t.Fatal(err)
		}
		generations[name] = source.Generation()
		_ = source.Close()
	}
	return generations
}

// wantAll checks that what is held is what is there, and is found where it is, and only there.
func (s *shelf) wantAll() {
	s.t.Helper()
	if d := cmp.Diff(s.there(), s.held()); d != "" {
		s.t.Errorf("held is not what is there (-there +held):\n%s", d)
	}
	f := holdings.NewFinder(s.store, s.resolver(s.root))
	for name, at := range onShelf {
		for _, ra := range []float64{at.before, at.now} {
			if ra == 0 {
				continue
			}
			ids, err := f.Holding(s.t.Context(), archive.Viewer{}, []sky.Vec{sky.FromDegrees(ra, 20)})
			if err != nil {
				s.t.Fatal(err)
			}
			var want []string
			if ra == at.now {
				want = []string{s.prefix + name}
			}
			if !slices.Equal(ids[0], want) {
				s.t.Errorf("at %g are %q, want %q", ra, ids[0], want)
			}
		}
	}
}

// An index run meets a fault at each call of the archive or the store of holdings in turn: the
// call fails, or is done and its answer lost, and the run goes on or is lost itself. Nothing
// that is there is forgotten. Run again, it reads what was not read and nothing else, and holds
// each image once; and a third run writes nothing.
func TestFaultIndexAtEveryCall(t *testing.T) {
	for name, stride := range map[string]int{"SQLite": 1, "emulators": 11} {
		t.Run(name, func(t *testing.T) {
			store := stores[name](t)
			undisturbed := newShelf(t, store)
			before := undisturbed.plan.Calls("")
			if _, err := undisturbed.index(t.Context()); err != nil {
				t.Fatal(err)
			}
			undisturbed.wantAll()
			calls := undisturbed.plan.Calls("") - before
			if calls < 30 {
				t.Fatalf("a run has %d calls; does the plan see them?", calls)
			}
			t.Logf("a run has %d calls", calls)
			t.Run("faults", func(t *testing.T) {
				for i, f := range []faulty.Fault{
					{Kind: faulty.Before}, {Kind: faulty.After}, {Kind: faulty.Before, Cut: true}, {Kind: faulty.After, Cut: true},
				} {
					for k := 1 + i*stride/4; k <= calls; k += stride {
						t.Run(fmt.Sprintf("%s call %d, lost %t", []string{"before", "after"}[f.Kind], k, f.Cut), func(t *testing.T) {
							if name == "SQLite" {
								t.Parallel()
							}
							newShelf(t, store).disturbed(f, k)
						})
					}
				}
			})
		})
	}
}

// disturbed is an index run that meets a fault at its k-th call, and those after it.
func (s *shelf) disturbed(f faulty.Fault, k int) {
	s.t.Helper()
	ctx, end := context.WithTimeout(s.t.Context(), patience)
	defer end()
	if f.Cut {
		f.Then = end
	}
	f.N = s.plan.Calls("") + k
	old, there := s.held(), s.there()
	s.plan.Add(f)
	outcomes, err := s.index(ctx)
	if s.plan.Met() != 1 {
		s.t.Fatalf("the run met %d faults", s.plan.Met())
	}
	if f.Kind == faulty.Before && !f.Cut && err == nil && !slices.Contains(slices.Collect(maps.Values(outcomes)), holdings.Failed) {
		s.t.Errorf("nobody is told of the fault: %v", outcomes)
	}
	s.plan.Heal()
	now := s.held()
	for name, generation := range there {
		if got, ok := now[name]; old[name] != "" && !ok || ok && got != generation && got != old[name] {
			s.t.Errorf("after the fault %s is held as %q; was %q, and is %q", name, got, old[name], generation)
		}
	}

	outcomes, err = s.index(s.t.Context())
	if err != nil {
		s.t.Errorf("run again: %v", err)
	}
	want := map[string]holdings.Outcome{"broken.fits": holdings.Broken, "breaks.fits": holdings.Broken}
	for name, generation := range there {
		want[name] = holdings.Read
		if now[name] == generation {
			want[name] = holdings.Known
		}
	}
	if now["goes.fits"] != "" {
		want["goes.fits"] = holdings.Gone
	}
	if d := cmp.Diff(want, outcomes); d != "" {
		s.t.Errorf("run again (-want +got):\n%s", d)
	}
	s.wantAll()

	writes := s.plan.Calls("holdings.Put") + s.plan.Calls("holdings.Delete")
	if _, err := s.index(s.t.Context()); err != nil {
		s.t.Errorf("run a third time: %v", err)
	}
	if n := s.plan.Calls("holdings.Put") + s.plan.Calls("holdings.Delete") - writes; n > 0 {
		s.t.Errorf("the third run writes %d times", n)
	}
	s.wantAll()
}

// tell pushes what a bucket tells of an object, as a message.
func (s *shelf) tell(name string) (status int) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"message": map[string]any{
		"data": []byte("{}"), "messageId": "1", "attributes": map[string]string{"bucketId": "b", "objectId": name},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	ids := func(_, object string) []string { return []string{s.prefix + object} }
	s.indexer().Notifications(ids, quiet).ServeHTTP(rec, httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, "/objects", bytes.NewReader(body)))
	return rec.Code
}

// A bucket tells of an image that came, changed, broke, went or is the same, and the archive or
// the store of holdings fails at each call in turn, or loses its answer. A message is
// acknowledged only when what is held is what is there; it comes again until then.
func TestFaultNotificationAtEveryCall(t *testing.T) {
	for backend, open := range stores {
		t.Run(backend, func(t *testing.T) {
			store := open(t)
			for name := range onShelf {
				for _, kind := range []faulty.Kind{faulty.Before, faulty.After} {
					for k, more := 1, true; more; k++ {
						t.Run(fmt.Sprintf("%s, %d at call %d", name, kind, k), func(t *testing.T) {
							s := newShelf(t, store)
							s.plan.Add(faulty.Fault{Kind: kind, N: s.plan.Calls("") + k})
							status := s.tell(name)
							more = s.plan.Met() > 0
							s.plan.Heal()
							if more && kind == faulty.Before && status != http.StatusServiceUnavailable {
								t.Errorf("status %d, want %d", status, http.StatusServiceUnavailable)
							}
							if status == http.StatusServiceUnavailable {
								status = s.tell(name) // it comes again
							}
							if status != http.StatusNoContent || s.held()[name] != s.there()[name] {
								t.Errorf("status %d, held is generation %q of %q", status, s.held()[name], s.there()[name])
							}
							if again := s.tell(name); again != http.StatusNoContent || s.held()[name] != s.there()[name] {
								t.Errorf("once more: status %d, held is generation %q of %q", again, s.held()[name], s.there()[name])
							}
						})
						if t.Failed() {
							return
						}
					}
				}
			}
		})
	}
}

// The holdings are down: what names its image is cut all the same, with headers that are read
// from the archive, and links are shown.
func TestFaultHoldingsDown(t *testing.T) {
	want := reference(t)
	w := sqlite(t)
	w.indexes = indexes.New(1<<20, holdings.Headers(w.plan.Holdings(openHoldings(t))))
	w.plan.Add(faulty.Fault{Kind: faulty.Before, Method: "holdings.Get"}, faulty.Fault{Kind: faulty.Before, Method: "holdings.At"})
	rec := ask(w.soda(nil), "POST", "/async", "ID", prefix+"image.fits", "CIRCLE", circle, "PHASE", "RUN")
	id, made := strings.CutPrefix(rec.Header().Get("Location"), base+"/async/")
	if !made {
		t.Fatalf("POST /async: %d %s", rec.Code, rec.Body)
	}
	if err := w.worker().Work(t.Context(), id); err != nil {
		t.Error(err)
	}
	w.wantDone(id, want)
	if rec := ask(w.soda(nil), "GET", "/links?ID="+prefix+"image.fits"); rec.Code != http.StatusOK {
		t.Errorf("GET /links: %d %s", rec.Code, rec.Body)
	}
	if asked := w.plan.Calls("holdings.Get"); asked < 2 || w.plan.Met() != asked {
		t.Errorf("what is held was asked for %d times, and %d times in vain", asked, w.plan.Met())
	}
	w.destroy()
}
