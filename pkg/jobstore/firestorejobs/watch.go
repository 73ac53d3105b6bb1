package firestorejobs

import (
	"context"
	"errors"
	"iter"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// streamTime is how long one stream is listened to. A stream may break without a word; the
// next one begins with the job as it is, so a change waits for no longer than this.
const streamTime = 30 * time.Second

// Watch implements [jobstore.Store]. The error is [fault.Unavailable], too, if all
// connections are full.
func (s *Store) Watch(ctx context.Context, id string) iter.Seq2[*uws.Job, error] {
	return func(yield func(*uws.Job, error) bool) {
		if !names(id) {
			yield(nil, missing(id))
			return
		}
		client, leave, err := s.watchers.join()
		if err != nil {
			yield(nil, err)
			return
		}
		defer leave()
		var seen int64
		fresh := func(j *uws.Job) bool {
			if j.Revision <= seen {
				return true
			}
			seen = j.Revision
			return yield(j, nil)
		}
		for try := 0; ; try++ {
			began := time.Now()
			more, err := s.listen(ctx, client, id, fresh)
			switch {
			case !more:
				return
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			case err != nil && !firestoredb.Uncertain(err):
				yield(nil, firestoredb.Failed(err, "firestorejobs.Watch", "the job cannot be watched"))
				return
			case err == nil || time.Since(began) > time.Second:
				try = 0
			}
			_ = firestoredb.Pause(ctx, try) // if ctx ends, the next stream says so
		}
	}
}

// listen listens to one stream until it ends, or until fresh wants no more.
func (s *Store) listen(ctx context.Context, client *firestore.Client, id string, fresh func(*uws.Job) bool) (more bool, err error) {
	stream, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel() // which ends the stream: Stop alone only says that nothing more is sent
	snapshots := s.ref(client, id).Snapshots(stream)
	defer snapshots.Stop()
	for {
		snapshot, err := snapshots.Next()
		if err != nil {
			if stream.Err() != nil && errors.Is(stream.Err(), context.DeadlineExceeded) {
				return true, nil
			}
			return true, err
		}
		if !snapshot.Exists() {
			return true, missing(id)
		}
		r, err := s.decode(ctx, snapshot)
		if errors.Is(err, errMoved) {
			r, err = s.read(ctx, id)
		}
		if err != nil {
			return true, err
		}
		if !fresh(r.job) {
			return false, nil
		}
	}
}
