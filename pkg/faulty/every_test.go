package faulty_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/faulty"
)

// life is a job from its making to its purge, in which the process is cut off at the k-th
// call of all of its ports, before or after the call is done, or never if k is 0. It returns
// how many calls there were.
func (w *world) life(k int, kind faulty.Kind, want []byte) (calls int) {
	w.t.Helper()
	if k > 0 {
		w.plan.Add(w.lose(kind, "", k))
	}
	id := w.make()
	w.drive()
	w.wantDone(id, want)
	for _, j := range w.all() { // a job that was made without an answer, too
		if j.ID != id {
			w.wantDone(j.ID, want)
		}
	}
	w.destroy()
	return w.plan.Calls("")
}

// A job is driven to its end, its destruction and its purge, and at each call of a store, a
// queue, an archive or a bucket in turn its process is lost: before the call, or after it and
// before its answer. It ends once, with the right bytes, and nothing is left of it.
func TestFaultAtEveryCall(t *testing.T) {
	want := reference(t)
	for name, stride := range map[string]int{"SQLite": 1, "emulators": 7} {
		t.Run(name, func(t *testing.T) {
			store, bucket := backends[name](t)
			undisturbed := newWorld(t, store, bucket)
			calls := undisturbed.life(0, 0, want)
			if calls < 20 {
				t.Fatalf("a life has %d calls; does the plan see them?", calls)
			}
			t.Logf("a life has %d calls", calls)
			met := 0
			var mu sync.Mutex
			t.Run("lost", func(t *testing.T) {
				for _, kind := range []faulty.Kind{faulty.Before, faulty.After} {
					for k := 1 + int(kind)*stride/2; k <= calls; k += stride {
						t.Run(fmt.Sprintf("%s call %d", map[faulty.Kind]string{faulty.Before: "before", faulty.After: "after"}[kind], k), func(t *testing.T) {
							w := newWorld(t, store, bucket)
							if name == "SQLite" {
								t.Parallel()
								w = newWorld(t, openSQLite(t), openBucket(t, filepath.Join(t.TempDir(), "bucket")))
							}
							w.life(k, kind, want)
							mu.Lock()
							met += w.plan.Met()
							mu.Unlock()
						})
					}
				}
			})
			if met < calls/stride {
				t.Errorf("%d of %d lives met their fault", met, 2*calls/stride)
			}
		})
	}
}
