package batch_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// While the worker of one part takes its time, the other lanes do all other parts, also those
// of its lane; no more parts than lanes are at work or in the queue at once, and each is
// executed once.
func TestOtherLanesHelp(t *testing.T) {
	for _, lanes := range []int{1, 2, 5, 40} {
		t.Run(fmt.Sprint(lanes), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 48)
			w.lanes = lanes
			const n = 1600 // in seventeen parts
			j := w.make(rows(n))
			w.deliver() // it is planned
			plan := w.get(j.ID).Plan
			if plan.Parts < 16 || plan.Lanes != lanes {
				t.Fatalf("the plan is %+v; want 16 parts or more in %d lanes", plan, lanes)
			}
			slow := uws.PartID(j.ID, 0)
			held := false
			executed := map[string]int{}
			for {
				ids := w.inbox.take()
				if i := slices.Index(ids, slow); i >= 0 && !held {
					ids, held = slices.Delete(ids, i, i+1), true
				}
				if len(ids) == 0 {
					break
				}
				if len(ids) > lanes {
					t.Fatalf("%d lanes have %d messages at once", lanes, len(ids))
				}
				for _, id := range ids {
					executed[id]++
					if err := w.worker().Work(t.Context(), id); err != nil {
						t.Fatal(err)
					}
				}
			}
			ended, err := w.jobs.Parts(t.Context(), j.ID)
			if err != nil {
				t.Fatal(err)
			}
			if want := plan.Parts - 1; lanes > 1 && ended.Ended != want || lanes == 1 && ended.Ended != 0 {
				t.Errorf("%d lanes: %d of %d parts have ended while part 0 takes its time", lanes, ended.Ended, plan.Parts)
			}
			for i := 1; i < plan.Parts && lanes > 1; i++ {
				if n := executed[uws.PartID(j.ID, i)]; n != 1 {
					t.Errorf("%d lanes: part %d was executed %d times", lanes, i, n)
				}
			}
			_ = w.inbox.Publish(t.Context(), uws.Bulk, slow)
			w.wantEachOnce(w.drive(j.ID), n)
		})
	}
}
