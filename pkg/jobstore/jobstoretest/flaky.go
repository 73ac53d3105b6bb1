package jobstoretest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Flaky is a store whose answers get lost: as often as Lose says, a Create or Update
// that succeeded, so that it is written, returns [fault.Unavailable].
type Flaky struct {
	jobstore.Store
	Lose atomic.Int32
}

func (f *Flaky) lost() bool {
	for n := f.Lose.Load(); n > 0; n = f.Lose.Load() {
		if f.Lose.CompareAndSwap(n, n-1) {
			return true
		}
	}
	return false
}

var errLost = fault.New(fault.Unavailable, "jobstoretest.Flaky", "the answer was lost")

// Create implements [jobstore.Store].
func (f *Flaky) Create(ctx context.Context, j *uws.Job) error {
	if err := f.Store.Create(ctx, j); err != nil || !f.lost() {
		return err
	}
	return errLost
}

// Update implements [jobstore.Store].
func (f *Flaky) Update(ctx context.Context, id string, change func(now time.Time, j *uws.Job) error) (*uws.Job, error) {
	j, err := f.Store.Update(ctx, id, change)
	if err != nil || !f.lost() {
		return j, err
	}
	return nil, errLost
}
