package firestorejobs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// MaxListed is how many results stand in the job's own document, and in each of the list's.
// JSON of one document has [firestoredb.MaxDocument] bytes at most, that of a job with its
// list of results [firestoredb.MaxCommit].
const MaxListed = 500

// document is a job as it stands in Firestore. Sync jobs, parts of batches and deleted ones have no field
// listed, so they take no room in the indexes of lists, whose order of time is what limits
// how many entries a second an index takes.
type document struct {
	Owner      string    `firestore:"owner"`
	Phase      string    `firestore:"phase"`
	Listed     time.Time `firestore:"listed,omitempty"` // when the job was created
	Shard      int       `firestore:"shard"`
	DueAt      time.Time `firestore:"dueAt"`
	PurgeAfter time.Time `firestore:"purgeAfter,omitempty"`
	Revision   int64     `firestore:"revision"`
	Write      string    `firestore:"write"`            // random name of the last write
	Parent     string    `firestore:"parent,omitempty"` // of a part of a batch
	Sums       sums      `firestore:"sums,omitempty"`   // of a part: what the store adds up
	Job        string    `firestore:"job"`              // JSON, without results if they are in Parts documents
	Parts      int       `firestore:"parts,omitempty"`
	Live       string    `firestore:"live,omitempty"`  // see jobstore.Live
	Rows       int64     `firestore:"rows"`            // asked for
	Ended      time.Time `firestore:"ended,omitempty"` // the hour in which a job ended that made something …
	Made       int64     `firestore:"made,omitempty"`  // … of so many bytes

	lists []string // JSON of the parts
}

// part is one piece of a long list of results: a document of the collection results below
// the job's, named by its number.
type part struct {
	Revision   int64     `firestore:"revision"` // of the job that it was written with
	Results    string    `firestore:"results"`
	PurgeAfter time.Time `firestore:"purgeAfter,omitempty"`
}

const parts = "results"

// newDocument writes a job as a document. The error is [fault.TooLarge].
func newDocument(j *uws.Job, write string) (*document, error) {
	d := &document{
		Owner: j.Owner, Phase: string(j.Phase), Shard: j.Shard, DueAt: j.DueAt, PurgeAfter: j.PurgeAfter, Revision: j.Revision, Write: write,
		Live: jobstore.Live(j), Rows: j.Rows,
	}
	if j.Made > 0 {
		d.Ended, d.Made = j.Ended.Truncate(hour), j.Made
	}
	switch {
	case j.Kind == uws.Part:
		d.Parent, d.Sums = j.Parent, newSums(j)
	case j.Kind != uws.Sync && !j.Deleted:
		d.Listed = j.Created
	}
	short := *j
	size := 0
	if len(j.Results) > MaxListed {
		short.Results = nil
		for piece := range slices.Chunk(j.Results, MaxListed) {
			text, err := encode(j.ID, piece)
			if err != nil {
				return nil, err
			}
			d.lists = append(d.lists, text)
			size += len(text)
		}
		d.Parts = len(d.lists)
	}
	var err error
	if d.Job, err = encode(j.ID, &short); err != nil {
		return nil, err
	}
	if size += len(d.Job); size > firestoredb.MaxCommit {
		return nil, fault.New(fault.TooLarge, "firestorejobs", "the job %s has %d results of %d bytes; the store takes %d bytes for one job: ask for fewer in one job",
			j.ID, len(j.Results), size, firestoredb.MaxCommit)
	}
	return d, nil
}

func encode(id string, value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fault.New(fault.Internal, "firestorejobs", "job %s cannot be written as JSON: %w", id, err)
	}
	if len(text) > firestoredb.MaxDocument {
		return "", fault.New(fault.TooLarge, "firestorejobs", "the job %s takes %d bytes; the store takes %d: ask for less in one job", id, len(text), firestoredb.MaxDocument)
	}
	return string(text), nil
}

// fields returns what a write changes. Fields that a document does not have are removed.
func (d *document) fields() []firestore.Update {
	orDelete := func(absent bool, value any) any {
		if absent {
			return firestore.Delete
		}
		return value
	}
	fields := []firestore.Update{
		{Path: "owner", Value: d.Owner},
		{Path: "phase", Value: d.Phase},
		{Path: "listed", Value: orDelete(d.Listed.IsZero(), d.Listed)},
		{Path: "shard", Value: d.Shard},
		{Path: "dueAt", Value: d.DueAt},
		{Path: "purgeAfter", Value: orDelete(d.PurgeAfter.IsZero(), d.PurgeAfter)},
		{Path: "revision", Value: d.Revision},
		{Path: "write", Value: d.Write},
		{Path: "job", Value: d.Job},
		{Path: "parts", Value: orDelete(d.Parts == 0, d.Parts)},
		{Path: "live", Value: orDelete(d.Live == "", d.Live)},
		{Path: "rows", Value: d.Rows},
		{Path: "ended", Value: orDelete(d.Made == 0, d.Ended)},
		{Path: "made", Value: orDelete(d.Made == 0, d.Made)},
	}
	if d.Parent != "" {
		fields = append(fields, firestore.Update{Path: "sums", Value: d.Sums})
	}
	return fields
}

// sums holds what the store adds up over the parts of a batch, by name. All are there in
// each part: an index holds a document that has all of its fields.
type sums map[string]int64

// summed names what is in sums: as much as Firestore adds up in one query.
var summed = []string{"bytes", "done", "empty", "ended", "failed"}

func newSums(j *uws.Job) sums {
	t := j.Tally
	s := sums{"bytes": t.Bytes, "done": t.Done, "empty": t.Empty, "ended": 0, "failed": t.Failed}
	if j.Phase.Terminal() {
		s["ended"] = 1
	}
	return s
}

// reading is a document as it was read.
type reading struct {
	job      *uws.Job
	document document
	updated  time.Time // of the document
	now      time.Time // of the reading, by Firestore's clock
}

func missing(id string) error {
	return fault.New(fault.NotFound, "firestorejobs", "there is no job %s", id)
}

// names reports whether a document can have the name id. Messages and requests may ask for
// the job of any text. Source: Google Cloud, "Firestore quotas and limits".
func names(id string) bool {
	return id != "" && len(id) <= 1500 && utf8.ValidString(id) && !strings.ContainsAny(id, "/\x00") && id != "." && id != ".." &&
		!(strings.HasPrefix(id, "__") && strings.HasSuffix(id, "__"))
}

// read reads a job with its list of results.
func (s *Store) read(ctx context.Context, id string) (*reading, error) {
	if !names(id) {
		return nil, missing(id)
	}
	ctx, cancel := firestoredb.Bound(ctx)
	defer cancel()
	for {
		snapshot, err := s.ref(s.client, id).Get(ctx)
		if status.Code(err) == codes.NotFound {
			return nil, missing(id)
		}
		if err != nil {
			return nil, firestoredb.Failed(err, "firestorejobs.read", "the job cannot be read")
		}
		r, err := s.decode(ctx, snapshot)
		if !errors.Is(err, errMoved) {
			return r, err
		}
	}
}

// errMoved says that a job was written anew between the readings of its documents.
var errMoved = errors.New("firestorejobs: the job was written anew")

// decode reads a job from its document, and its list of results if that stands elsewhere.
func (s *Store) decode(ctx context.Context, snapshot *firestore.DocumentSnapshot) (*reading, error) {
	r := &reading{job: new(uws.Job), updated: snapshot.UpdateTime, now: snapshot.ReadTime.UTC()}
	err := snapshot.DataTo(&r.document)
	if err == nil {
		err = json.Unmarshal([]byte(r.document.Job), r.job)
	}
	if err != nil {
		return nil, fault.New(fault.Internal, "firestorejobs", "the document of job %s cannot be read: %w", snapshot.Ref.ID, err)
	}
	if r.document.Parts == 0 {
		return r, nil
	}
	r.job.Results, err = s.results(ctx, snapshot.Ref.ID, r.document)
	return r, err
}

// results reads the list of results that belongs to a document.
func (s *Store) results(ctx context.Context, id string, d document) (all []uws.Result, err error) {
	pieces, err := s.client.GetAll(ctx, firestoredb.Pieces(s.ref(s.client, id), parts, d.Parts))
	if err != nil {
		return nil, firestoredb.Failed(err, "firestorejobs.read", "the results of the job cannot be read")
	}
	for _, snapshot := range pieces {
		var p part
		if !snapshot.Exists() {
			return nil, errMoved
		}
		var some []uws.Result
		err := snapshot.DataTo(&p)
		if err == nil {
			err = json.Unmarshal([]byte(p.Results), &some)
		}
		if err != nil {
			return nil, fault.New(fault.Internal, "firestorejobs", "the results of job %s cannot be read: %w", id, err)
		}
		if p.Revision != d.Revision {
			return nil, errMoved
		}
		all = append(all, some...)
	}
	return all, nil
}

// commit writes d, which is nil to remove the job, in place of what was read, which is nil
// to create it. Lists of results move in the same commit.
func (s *Store) commit(ctx context.Context, id string, old *reading, d *document) error {
	ref := s.ref(s.client, id)
	had := 0
	if old != nil {
		had = old.document.Parts
	}
	if had == 0 && (d == nil || d.Parts == 0) {
		var err error
		switch {
		case old == nil:
			_, err = ref.Create(ctx, d)
		case d == nil:
			_, err = ref.Delete(ctx, firestore.LastUpdateTime(old.updated))
		default:
			_, err = ref.Update(ctx, d.fields(), firestore.LastUpdateTime(old.updated))
		}
		return err
	}
	// This transaction reads nothing, so it waits for nobody: it only joins the writes.
	return s.client.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
		var err error
		kept := 0
		switch {
		case d == nil:
			err = tx.Delete(ref, firestore.LastUpdateTime(old.updated))
		case old == nil:
			kept, err = d.Parts, tx.Create(ref, d)
		default:
			kept, err = d.Parts, tx.Update(ref, d.fields(), firestore.LastUpdateTime(old.updated))
		}
		return errors.Join(err, firestoredb.SetPieces(tx, ref, parts, had, kept, func(i int) any {
			return part{Revision: d.Revision, Results: d.lists[i], PurgeAfter: d.PurgeAfter}
		}))
	}, firestore.MaxAttempts(1))
}
