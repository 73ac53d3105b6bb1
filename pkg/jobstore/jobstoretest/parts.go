package jobstoretest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// The parts of a batch are added up by the store, whatever their phase, and are in no list.
func testParts(t *testing.T, s jobstore.Store) {
	batch, other := newJob(uws.Executing), newJob(uws.Executing)
	batch.Kind, other.Kind = uws.Batch, uws.Batch
	want := func(id string, want jobstore.Parts) {
		t.Helper()
		got, err := s.Parts(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the parts (-want +got):\n%s", d)
		}
	}
	create(t, s, batch)
	want(batch.ID, jobstore.Parts{})
	for n, tally := range []uws.Tally{{Rows: 10, Done: 7, Empty: 2, Failed: 1, Bytes: 1 << 33}, {Rows: 5, Done: 1, Bytes: 3}, {}} {
		p := batch.NewPart(batch.Created, n)
		p.Tally = tally
		create(t, s, p)
		create(t, s, p) // the same again
	}
	create(t, s, other.NewPart(other.Created, 0))
	sum := uws.Tally{Done: 8, Empty: 2, Failed: 1, Bytes: 1<<33 + 3}
	want(batch.ID, jobstore.Parts{Tally: sum})
	claim := taken(t, s, uws.PartID(batch.ID, 1))
	update(t, s, uws.PartID(batch.ID, 1), func(now time.Time, j *uws.Job) error {
		j.Tally.Empty = 4
		return j.Complete(now, claim, nil)
	})
	sum.Empty += 4
	want(batch.ID, jobstore.Parts{Ended: 1, Tally: sum})
	jobs, err := s.List(t.Context(), jobstore.Filter{Owner: batch.Owner})
	if got := ids(jobs); err != nil || len(got) != 1 || got[0] != batch.ID {
		t.Errorf("the list holds %v, %v; want the batch alone", got, err)
	}
}
