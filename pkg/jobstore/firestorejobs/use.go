package firestorejobs

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/firestore"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// hour is what the field ended counts in: the entries of an index that grow with time lie
// together, and an hour of them spreads.
const hour = time.Hour

// The queries below order by all fields of an index, so that one serves several of them.

// live is the query of an owner's live jobs.
func (s *Store) live(owner string) firestore.Query {
	return s.client.Collection(Collection).Where("live", "in", jobstore.Lives).Where("owner", "==", owner).OrderBy("rows", firestore.Asc)
}

func (s *Store) everyLive() firestore.Query {
	return s.client.Collection(Collection).Where("live", "in", jobstore.Lives).
		OrderBy("owner", firestore.Asc).OrderBy("rows", firestore.Asc)
}

func (s *Store) active(class uws.Class) firestore.Query {
	return s.client.Collection(Collection).Where("live", "==", string(class)).OrderBy("owner", firestore.Asc).OrderBy("rows", firestore.Asc)
}

// made is the query of an owner's jobs that made something, in the order of their end.
func (s *Store) made(owner string, since time.Time) firestore.Query {
	return s.client.Collection(Collection).Where("owner", "==", owner).Where("ended", ">=", since.Truncate(hour)).
		OrderBy("ended", firestore.Asc).OrderBy("made", firestore.Asc)
}

func (s *Store) everyMade(since time.Time) firestore.Query {
	return s.client.Collection(Collection).Where("ended", ">=", since.Truncate(hour)).
		OrderBy("ended", firestore.Asc).OrderBy("owner", firestore.Asc)
}

// CreateWithin implements [jobstore.Store]. It counts before it writes, which refuses most,
// and after it, which finds what others wrote at the same time: then those that Firestore
// wrote first stay. The last of those that stay saw all the others, so they fit together.
func (s *Store) CreateWithin(ctx context.Context, j *uws.Job, room jobstore.Room) (jobstore.Use, error) {
	u, err := s.countLive(ctx, j.Owner)
	if err != nil {
		return u, err
	}
	if !room.Holds(u.Jobs+1, u.Rows+j.Rows) {
		return u, jobstore.Full(u)
	}
	if err := s.Create(ctx, j); err != nil {
		return u, err
	}
	if u, err = s.countLive(ctx, j.Owner); err == nil {
		if room.Holds(u.Jobs, u.Rows) {
			return jobstore.Use{Owner: j.Owner, Jobs: u.Jobs - 1, Rows: u.Rows - j.Rows}, nil
		}
		if u, err = s.before(ctx, j); err == nil && room.Holds(u.Jobs+1, u.Rows+j.Rows) {
			return u, nil
		}
	}
	if err == nil {
		err = jobstore.Full(u)
	}
	if undoErr := s.Purge(context.WithoutCancel(ctx), j.ID, 1); undoErr != nil {
		return u, undoErr
	}
	return u, err
}

// countLive counts an owner's live jobs.
func (s *Store) countLive(ctx context.Context, owner string) (jobstore.Use, error) {
	counts, err := count(ctx, s.live(owner), "rows")
	return jobstore.Use{Owner: owner, Jobs: counts[0], Rows: counts[1]}, err
}

// before counts the live jobs of j's owner that were written before j.
func (s *Store) before(ctx context.Context, j *uws.Job) (jobstore.Use, error) {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	u := jobstore.Use{Owner: j.Owner}
	own, err := s.ref(s.client, j.ID).Get(ctx)
	if err != nil {
		return u, firestoredb.Failed(err, "firestorejobs.CreateWithin", "the job cannot be read")
	}
	others, err := s.live(j.Owner).Select("rows").Documents(ctx).GetAll()
	if err != nil {
		return u, firestoredb.Failed(err, "firestorejobs.CreateWithin", "the jobs cannot be counted")
	}
	for _, o := range others {
		if c := o.CreateTime.Compare(own.CreateTime); c < 0 || c == 0 && o.Ref.ID < j.ID {
			var d document
			if err := o.DataTo(&d); err != nil {
				return u, fault.New(fault.Internal, "firestorejobs.CreateWithin", "the document of job %s cannot be read: %w", o.Ref.ID, err)
			}
			u.Jobs, u.Rows = u.Jobs+1, u.Rows+d.Rows
		}
	}
	return u, nil
}

// count returns how many documents a query finds, and the sum of one of their fields.
func count(ctx context.Context, q firestore.Query, field string) (counts [2]int64, err error) {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	values, err := q.NewAggregationQuery().WithCount("count").WithSum(field, "sum").Get(ctx)
	if err != nil {
		return counts, firestoredb.Failed(err, "firestorejobs.Use", "the jobs cannot be counted")
	}
	for i, name := range []string{"count", "sum"} {
		v, ok := values[name].(*pb.Value)
		if !ok {
			return counts, fault.New(fault.Internal, "firestorejobs.Use", "Firestore answered %v for %s; want a number", values[name], name)
		}
		counts[i] = v.GetIntegerValue()
	}
	return counts, nil
}

// Use implements [jobstore.Store].
func (s *Store) Use(ctx context.Context, owner string, since time.Time) (jobstore.Use, error) {
	var live jobstore.Use
	var made [2]int64
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) { live, err = s.countLive(ctx, owner); return err })
	both.Go(func() (err error) { made, err = count(ctx, s.made(owner, since), "made"); return err })
	err := both.Wait()
	live.Bytes = made[1]
	return live, err
}

// Uses implements [jobstore.Store].
func (s *Store) Uses(ctx context.Context, since time.Time) ([]jobstore.Use, error) {
	var all []jobstore.Use
	live := s.each(ctx, s.everyLive(), func(d document) bool {
		all = append(all, jobstore.Use{Owner: d.Owner, Jobs: 1, Rows: d.Rows})
		return true
	})
	made := s.each(ctx, s.everyMade(since), func(d document) bool {
		all = append(all, jobstore.Use{Owner: d.Owner, Bytes: d.Made})
		return true
	})
	return jobstore.Sum(all), errors.Join(live, made)
}

// Freed implements [jobstore.Store].
func (s *Store) Freed(ctx context.Context, owner string, since time.Time, bytes int64) (at time.Time, err error) {
	return at, s.each(ctx, s.made(owner, since), func(d document) bool {
		if bytes -= d.Made; bytes <= 0 {
			at = d.Ended.Add(hour).UTC()
		}
		return bytes > 0
	})
}

// each reads what a query finds, of each document what is counted, until f has seen enough.
func (s *Store) each(ctx context.Context, q firestore.Query, f func(document) (more bool)) error {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	found := q.Select("owner", "rows", "ended", "made").Documents(ctx)
	defer found.Stop()
	for {
		snapshot, err := found.Next()
		if err == iterator.Done {
			return nil
		}
		if err != nil {
			return firestoredb.Failed(err, "firestorejobs.Use", "the jobs cannot be counted")
		}
		var d document
		if err := snapshot.DataTo(&d); err != nil {
			return fault.New(fault.Internal, "firestorejobs.Use", "the document of job %s cannot be read: %w", snapshot.Ref.ID, err)
		}
		if !f(d) {
			return nil
		}
	}
}

// Active implements [jobstore.Store].
func (s *Store) Active(ctx context.Context, class uws.Class) (int64, error) {
	counts, err := count(ctx, s.active(class), "rows")
	return counts[0], err
}
