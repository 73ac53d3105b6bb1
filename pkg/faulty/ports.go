package faulty

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/golang/geo/s2"

	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/signing"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Jobs returns a store whose methods are jobs.Create, jobs.Get, jobs.List, jobs.Update,
// jobs.Due, jobs.Purge, jobs.Watch (its beginning) and jobs.Check. What else the store can,
// such as counting for quotas, passes.
func (p *Plan) Jobs(s jobstore.Store) jobstore.Store { return store{s, p} }

type store struct {
	jobstore.Store
	plan *Plan
}

func (s store) Create(ctx context.Context, j *uws.Job) error {
	return s.plan.Do(ctx, "jobs.Create", func(ctx context.Context) error { return s.Store.Create(ctx, j) })
}

func (s store) CreateWithin(ctx context.Context, j *uws.Job, room jobstore.Room) (jobstore.Use, error) {
	return give(ctx, s.plan, "jobs.Create", func(ctx context.Context) (jobstore.Use, error) { return s.Store.CreateWithin(ctx, j, room) })
}

func (s store) Get(ctx context.Context, id string) (j *uws.Job, err error) {
	return give(ctx, s.plan, "jobs.Get", func(ctx context.Context) (*uws.Job, error) { return s.Store.Get(ctx, id) })
}

func (s store) List(ctx context.Context, f jobstore.Filter) ([]*uws.Job, error) {
	return give(ctx, s.plan, "jobs.List", func(ctx context.Context) ([]*uws.Job, error) { return s.Store.List(ctx, f) })
}

func (s store) Update(ctx context.Context, id string, change func(now time.Time, j *uws.Job) error) (*uws.Job, error) {
	return give(ctx, s.plan, "jobs.Update", func(ctx context.Context) (*uws.Job, error) { return s.Store.Update(ctx, id, change) })
}

func (s store) Due(ctx context.Context, shard, limit int) (jobs []*uws.Job, now time.Time, err error) {
	jobs, err = give(ctx, s.plan, "jobs.Due", func(ctx context.Context) (jobs []*uws.Job, err error) {
		jobs, now, err = s.Store.Due(ctx, shard, limit)
		return jobs, err
	})
	return jobs, now, err
}

func (s store) Parts(ctx context.Context, batch string) (jobstore.Parts, error) {
	return give(ctx, s.plan, "jobs.Parts", func(ctx context.Context) (jobstore.Parts, error) { return s.Store.Parts(ctx, batch) })
}

func (s store) Purge(ctx context.Context, id string, revision int64) error {
	return s.plan.Do(ctx, "jobs.Purge", func(ctx context.Context) error { return s.Store.Purge(ctx, id, revision) })
}

func (s store) Watch(ctx context.Context, id string) iter.Seq2[*uws.Job, error] {
	return func(yield func(*uws.Job, error) bool) {
		if err := s.plan.Do(ctx, "jobs.Watch", nothing); err != nil {
			yield(nil, err)
			return
		}
		s.Store.Watch(ctx, id)(yield)
	}
}

func (s store) Check(ctx context.Context) error { return s.plan.Do(ctx, "jobs.Check", s.Store.Check) }

func nothing(context.Context) error { return nil }

// give is [Plan.Do] of a call that gives something, which a failed call does not.
func give[T any](ctx context.Context, p *Plan, method string, do func(ctx context.Context) (T, error)) (got T, err error) {
	var none T
	err = p.Do(ctx, method, func(ctx context.Context) (err error) {
		got, err = do(ctx)
		return err
	})
	if err != nil {
		return none, err
	}
	return got, nil
}

// Queue returns a queue whose methods are queue.Publish and queue.Check.
func (p *Plan) Queue(q queue.Publisher) queue.Publisher { return publisher{q, p} }

type publisher struct {
	queue.Publisher
	plan *Plan
}

func (q publisher) Publish(ctx context.Context, class uws.Class, id string) error {
	return q.plan.Do(ctx, "queue.Publish", func(ctx context.Context) error { return q.Publisher.Publish(ctx, class, id) })
}

func (q publisher) Check(ctx context.Context) error {
	return q.plan.Do(ctx, "queue.Check", q.Publisher.Check)
}

// Results returns a bucket whose methods are results.Create, results.Close (of a writer),
// results.Open, results.Delete and results.List.
func (p *Plan) Results(b *objects.Bucket) *objects.Bucket {
	return b.Around(func(ctx context.Context, method, _ string, do func(ctx context.Context) error) error {
		return p.Do(ctx, "results."+method, do)
	})
}

// Holdings returns a store of holdings whose methods are holdings.Get, holdings.Put,
// holdings.Delete, holdings.List (its beginning, and each that it yields), holdings.At and
// holdings.Check.
func (p *Plan) Holdings(s holdings.Store) holdings.Store { return held{s, p} }

type held struct {
	holdings.Store
	plan *Plan
}

func (h held) Get(ctx context.Context, ids ...string) (map[string]*holdings.Holding, error) {
	return give(ctx, h.plan, "holdings.Get", func(ctx context.Context) (map[string]*holdings.Holding, error) { return h.Store.Get(ctx, ids...) })
}

func (h held) Put(ctx context.Context, x *holdings.Holding, seen string) (kept bool, err error) {
	return give(ctx, h.plan, "holdings.Put", func(ctx context.Context) (bool, error) { return h.Store.Put(ctx, x, seen) })
}

func (h held) Delete(ctx context.Context, id, generation string) error {
	return h.plan.Do(ctx, "holdings.Delete", func(ctx context.Context) error { return h.Store.Delete(ctx, id, generation) })
}

func (h held) List(ctx context.Context, collection string) iter.Seq2[*holdings.Holding, error] {
	return each(ctx, h.plan, "holdings.List", h.Store.List(ctx, collection))
}

func (h held) At(ctx context.Context, cells []s2.CellID) (map[s2.CellID][]holdings.Key, error) {
	return give(ctx, h.plan, "holdings.At", func(ctx context.Context) (map[s2.CellID][]holdings.Key, error) { return h.Store.At(ctx, cells) })
}

func (h held) Check(ctx context.Context) error {
	return h.plan.Do(ctx, "holdings.Check", h.Store.Check)
}

// each is [Plan.Do] of what yields things one by one, for its beginning and for each of them.
func each[T any](ctx context.Context, p *Plan, method string, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := p.Do(ctx, method, nothing); err != nil {
			yield(none, err)
			return
		}
		for x, err := range all {
			if err == nil {
				err = p.Do(ctx, method, nothing)
			}
			if err != nil {
				yield(none, err)
				return
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}

// Archive returns an archive whose methods are archive.Open, archive.ReadAt, archive.Check
// and, of one that can list, archive.List (its beginning, and each name that it yields).
func (p *Plan) Archive(r objects.Root) objects.Root {
	if l, ok := r.(objects.Lister); ok {
		return lister{root{r, p}, l}
	}
	return root{r, p}
}

type lister struct {
	root
	from objects.Lister
}

func (l lister) List(ctx context.Context) iter.Seq2[string, error] {
	return each(ctx, l.plan, "archive.List", l.from.List(ctx))
}

type root struct {
	objects.Root
	plan *Plan
}

func (r root) Open(ctx context.Context, name string) (objects.Source, error) {
	s, err := give(ctx, r.plan, "archive.Open", func(ctx context.Context) (objects.Source, error) { return r.Root.Open(ctx, name) })
	if err != nil {
		return nil, err
	}
	return source{s, r.plan}, nil
}

func (r root) Check(ctx context.Context) error { return r.plan.Do(ctx, "archive.Check", r.Root.Check) }

type source struct {
	objects.Source
	plan *Plan
}

func (s source) ReadAt(ctx context.Context, b []byte, off int64) (n int, err error) {
	failed := s.plan.Do(ctx, "archive.ReadAt", func(ctx context.Context) error {
		n, err = s.Source.ReadAt(ctx, b, off)
		return nil
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}

// Signer returns a signer whose method is signer.SignedURL.
func (p *Plan) Signer(s signing.Signer) signing.Signer { return signer{s, p} }

type signer struct {
	signing.Signer
	plan *Plan
}

func (s signer) SignedURL(ctx context.Context, r signing.Request) (string, error) {
	return give(ctx, s.plan, "signer.SignedURL", func(ctx context.Context) (string, error) { return s.Signer.SignedURL(ctx, r) })
}

// Transport returns a transport whose method is name: that of the client of another function.
func (p *Plan) Transport(name string, next http.RoundTripper) http.RoundTripper {
	return transport{name, next, p}
}

type transport struct {
	name string
	next http.RoundTripper
	plan *Plan
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var answer *http.Response
	err := t.plan.Do(r.Context(), t.name, func(ctx context.Context) (err error) {
		answer, err = t.next.RoundTrip(r.WithContext(ctx))
		return err
	})
	if err != nil && answer != nil {
		_ = answer.Body.Close()
		answer = nil
	}
	return answer, err
}
