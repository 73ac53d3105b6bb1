package batch_test

import (
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// The rows of parts that ended in ERROR count as failed, in the tally as in the manifest of
// results; if none could be made, the batch has failed.
func TestFailedParts(t *testing.T) {
	for name, tt := range map[string]struct {
		failed func(n int) bool // part
		want   uws.Phase
	}{
		"one": {func(n int) bool { return n == 1 }, uws.Completed},
		"all": {func(int) bool { return true }, uws.Error},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 48)
			w.lanes = 1000 // all parts start at once
			id := w.make(rows(330)).ID
			w.deliver()
			parts := w.get(id).Plan.Parts
			if parts < 2 {
				t.Fatalf("the batch has %d parts; want some", parts)
			}
			for n := range parts {
				if !tt.failed(n) {
					continue
				}
				if _, err := w.jobs.Update(t.Context(), uws.PartID(id, n), func(now time.Time, j *uws.Job) error {
					j.Take(now, "lost")
					return j.Fail(now, "lost", uws.Failure{Code: "Unavailable", Message: "its worker was lost each time"})
				}); err != nil {
					t.Fatal(err)
				}
			}
			j := w.drive(id)
			lines := w.lines(j)
			counted := uws.Tally{Rows: int64(len(lines)), Bytes: j.Tally.Bytes}
			for _, l := range lines {
				switch l.Status {
				case ledger.OK:
					counted.Done++
				case ledger.Empty:
					counted.Empty++
				case ledger.Failed:
					counted.Failed++
				}
			}
			if j.Phase != tt.want || j.Tally != counted || j.Tally.Seen() != 333 || j.Tally.Failed < 50 {
				t.Errorf("the batch is %s with the tally %+v; its manifest of results has %+v, want %s and 333 rows", j.Phase, j.Tally, counted, tt.want)
			}
		})
	}
}
