package sqliteholdings_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/holdingstest"
	"github.com/seltzer-soda/seltzer/pkg/holdings/sqliteholdings"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB) (*sqliteholdings.Store, *sqlitedb.DB) {
	t.Helper()
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "holdings.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := sqliteholdings.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

func TestContract(t *testing.T) {
	holdingstest.Run(t, func(t *testing.T) holdings.Store {
		s, _ := open(t)
		return s
	})
}

func TestPositions(t *testing.T) {
	s, _ := open(t)
	holdingstest.Positions(t, s, 1)
}

// Headers that another version has kept are as if they were not known.
func TestHeadersOfAnotherVersion(t *testing.T) {
	s, db := open(t)
	h := holdingstest.Image(t, "a.fits", "g", 10, 20)
	if kept, err := s.Put(t.Context(), h, ""); !kept || err != nil {
		t.Fatal(kept, err)
	}
	if err := db.Write(t.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE holdings SET headers = CAST('SFX?' AS BLOB)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	found, err := s.Get(t.Context(), h.ID)
	if err != nil || found[h.ID] == nil || found[h.ID].Index != nil || found[h.ID].Generation != "g" {
		t.Errorf("found %+v, %v; want the holding without an index", found[h.ID], err)
	}
	ids, err := holdings.NewFinder(s, holdingstest.Archive(t)).Holding(t.Context(), archive.Viewer{}, []sky.Vec{sky.FromDegrees(10, 20)})
	if err != nil || len(ids) != 1 || ids[0] != nil {
		t.Errorf("at its position: %v, %v; want none", ids, err)
	}
}

// How many positions a second are looked up: all over the sky, of which images cover a part,
// and in a field of 2 by 2 degrees under 50 images.
func BenchmarkPositions(b *testing.B) {
	s, _ := open(b)
	var wg errgroup.Group
	wg.SetLimit(32)
	random := rand.New(rand.NewPCG(1, 2))
	place := func(i int) (ra, dec float64) {
		if i < 50 {
			return 150 + 2*random.Float64(), 2 + 2*random.Float64()
		}
		return 360 * random.Float64(), math.Asin(2*random.Float64()-1) / sky.Degree
	}
	for i := range 5000 {
		ra, dec := place(i)
		h := holdingstest.Image(b, fmt.Sprintf("%d.fits", i), "g", ra, dec)
		wg.Go(func() error {
			_, err := s.Put(b.Context(), h, "")
			return err
		})
	}
	if err := wg.Wait(); err != nil {
		b.Fatal(err)
	}
	for _, where := range []struct {
		name  string
		first int
	}{{"field", 0}, {"sky", 50}} {
		b.Run(where.name, func(b *testing.B) {
			f := holdings.NewFinder(s, holdingstest.Archive(b))
			asked := make([]sky.Vec, 50_000)
			for i := range asked {
				asked[i] = sky.FromDegrees(place(where.first))
			}
			found := 0
			for b.Loop() {
				ids, err := f.Holding(b.Context(), archive.Viewer{}, asked)
				if err != nil {
					b.Fatal(err)
				}
				found = 0
				for _, some := range ids {
					found += len(some)
				}
			}
			b.ReportMetric(float64(len(asked)*b.N)/b.Elapsed().Seconds(), "positions/s")
			b.ReportMetric(float64(found)/float64(len(asked)), "images/position")
		})
	}
}
