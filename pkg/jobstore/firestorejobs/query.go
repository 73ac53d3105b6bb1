package firestorejobs

import (
	"context"
	"errors"
	"slices"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/firestore/apiv1/firestorepb"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// List implements [jobstore.Store].
func (s *Store) List(ctx context.Context, f jobstore.Filter) ([]*uws.Job, error) {
	return s.collect(ctx, "List", s.listed(f))
}

// listed is the query of a list. It always names phases, so that one index serves it.
func (s *Store) listed(f jobstore.Filter) firestore.Query {
	phases := slices.Clone(f.Phases)
	if len(phases) == 0 {
		phases = slices.DeleteFunc(slices.Clone(uws.Phases), func(p uws.Phase) bool { return p == uws.Archived })
	}
	slices.Sort(phases)
	q := s.client.Collection(Collection).Where("phase", "in", slices.Compact(phases))
	if !f.All {
		q = q.Where("owner", "==", f.Owner)
	}
	if !f.After.IsZero() {
		q = q.Where("listed", ">", f.After)
	}
	q = q.OrderBy("listed", firestore.Desc).OrderBy(firestore.DocumentID, firestore.Desc)
	if f.Last > 0 {
		q = q.Limit(f.Last)
	}
	return q
}

// Due implements [jobstore.Store].
func (s *Store) Due(ctx context.Context, shard, limit int) ([]*uws.Job, time.Time, error) {
	now, err := s.clock(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	jobs, err := s.collect(ctx, "Due", s.due(shard, limit, now))
	return jobs, now, err
}

func (s *Store) due(shard, limit int, now time.Time) firestore.Query {
	return s.client.Collection(Collection).Where("shard", "==", shard).Where("dueAt", "<=", now).OrderBy("dueAt", firestore.Asc).Limit(limit)
}

// Parts implements [jobstore.Store]. Firestore adds up, from an index of the fields.
func (s *Store) Parts(ctx context.Context, batch string) (jobstore.Parts, error) {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	q := s.parts(batch)
	sum := q.NewAggregationQuery()
	for _, name := range summed {
		sum = sum.WithSum("sums."+name, name)
	}
	got, err := sum.Get(ctx)
	if err != nil {
		return jobstore.Parts{}, firestoredb.Failed(err, "firestorejobs.Parts", "the parts of the batch cannot be counted")
	}
	n := func(name string) int64 {
		v, _ := got[name].(*firestorepb.Value)
		return v.GetIntegerValue()
	}
	return jobstore.Parts{
		Ended: int(n("ended")),
		Tally: uws.Tally{Done: n("done"), Empty: n("empty"), Failed: n("failed"), Bytes: n("bytes")},
	}, nil
}

func (s *Store) parts(batch string) firestore.Query {
	return s.client.Collection(Collection).Where("parent", "==", batch)
}

// clock asks Firestore for its time, by reading a document that is not there.
func (s *Store) clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	none := s.client.Collection(checks).Doc("clock")
	snapshots, err := s.client.GetAll(ctx, []*firestore.DocumentRef{none})
	if err != nil {
		return time.Time{}, firestoredb.Failed(err, "firestorejobs.Due", "the clock of the store of jobs cannot be read")
	}
	return snapshots[0].ReadTime.UTC(), nil
}

func (s *Store) collect(ctx context.Context, op string, q firestore.Query) (jobs []*uws.Job, err error) {
	bounded, cancel := firestoredb.Bound(ctx)
	defer cancel()
	found, err := q.Documents(bounded).GetAll()
	if err != nil {
		return nil, firestoredb.Failed(err, "firestorejobs."+op, "the jobs cannot be listed")
	}
	for _, snapshot := range found {
		r, err := s.decode(bounded, snapshot)
		if errors.Is(err, errMoved) {
			r, err = s.read(ctx, snapshot.Ref.ID)
		}
		if errors.Is(err, fault.NotFound) {
			continue // purged since the query
		}
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, r.job)
	}
	return jobs, nil
}
