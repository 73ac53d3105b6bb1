package uws

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// A batch is one job of many rows. It is planned by one attempt, which divides the rows into
// parts; the parts are jobs of their own, which nobody lists; and it is ended by another
// attempt, once all parts have ended. Between the two the batch is EXECUTING and nobody
// holds it: it rests. Parts run in lanes: when a part ends, it starts the next of its lane or,
// at the lane's end, one of another lane, so that no more than Lanes parts of one batch are at
// work or in the queue at once, and the batches of several owners take turns.

// Plan is how far a batch is.
type Plan struct {
	Manifest string    `json:"manifest"`          // where its rows are
	Ready    bool      `json:"ready,omitempty"`   // the parts are known
	Rows     int64     `json:"rows,omitempty"`    // of the manifest, once they are counted
	Parts    int       `json:"parts,omitempty"`   // that the rows were divided into
	Lanes    int       `json:"lanes,omitempty"`   // parts that are at work or in the queue at once
	Counted  time.Time `json:"counted,omitzero"`  // when the tally was last brought up to date
	Running  time.Time `json:"running,omitzero"`  // when the first parts were started
	Listed   bool      `json:"listed,omitempty"`  // the results are, after it ended
	Untold   bool      `json:"untold,omitempty"`  // nobody was told yet that it has ended
	Package  string    `json:"package,omitempty"` // form of the results
}

// Tally counts what became of the rows of a part, or of all parts of a batch.
type Tally struct {
	Rows   int64 `json:"rows"`            // that there are
	Done   int64 `json:"done"`            // cut
	Empty  int64 `json:"empty,omitempty"` // that select no pixel
	Failed int64 `json:"failed,omitempty"`
	Bytes  int64 `json:"bytes,omitempty"` // of cutouts
}

// Seen returns how many rows have an outcome.
func (t Tally) Seen() int64 { return t.Done + t.Empty + t.Failed }

// Add adds the counts of u.
func (t *Tally) Add(u Tally) {
	t.Rows += u.Rows
	t.Done += u.Done
	t.Empty += u.Empty
	t.Failed += u.Failed
	t.Bytes += u.Bytes
}

// DerivedID returns the id that follows from words: the first 128 bits of their SHA-256, in
// the form of [NewID]. So who makes the same job again finds it made.
func DerivedID(words ...string) string {
	h := sha256.New()
	for _, w := range words {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(w)))
		h.Write(n[:]) // so that no two lists of words are one text
		h.Write([]byte(w))
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:16]))
}

// DerivedShard returns the shard that follows from an id.
func DerivedShard(id string) int { return int(sha256.Sum256([]byte(id))[0]) % Shards }

// PartID returns the id of part n, from 0, of a batch.
func PartID(batch string, n int) string { return DerivedID("part", batch, fmt.Sprint(n)) }

// NewPart returns part n of the batch j, queued. It is the same each time, but for when the
// sweep looks at it.
func (j *Job) NewPart(now time.Time, n int) *Job {
	p := &Job{
		ID: PartID(j.ID, n), Owner: j.Owner, Groups: slices.Clone(j.Groups), SeesAll: j.SeesAll, Class: Bulk, Kind: Part, Phase: Queued, Parent: j.ID, Number: n,
		Created: j.Created, ExecutionDuration: j.ExecutionDuration, Shard: DerivedShard(PartID(j.ID, n)),
		Destruction: j.Destruction, PurgeAfter: j.PurgeAfter,
	}
	p.lookAt(now.Add(FirstResend))
	return p
}

// Outlast has a part live for as long as its batch, whose destruction its owner may have put
// off since the part was made: what a part has made is gathered when the batch ends.
func (j *Job) Outlast(batch *Job) {
	if j.Kind == Part && batch.Destruction.After(j.Destruction) {
		j.Destruction, j.PurgeAfter = batch.Destruction, batch.PurgeAfter
	}
}

// Planned notes that the rows of the batch of claim are divided into parts, and lets it rest.
func (j *Job) Planned(now time.Time, claim string, rows, cutouts int64, parts, lanes int) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Plan.Ready, j.Plan.Running = true, now
	j.Plan.Rows, j.Plan.Parts, j.Plan.Lanes = rows, parts, lanes
	j.Rows, j.Tally = cutouts, Tally{Rows: cutouts}
	j.Progress = Progress{Of: int(cutouts)}
	return j.Rest(now, claim, now.Add(Lease))
}

// Rest gives a batch back until there is more to do, at the instant until at the latest. The
// attempt does not count.
func (j *Job) Rest(now time.Time, claim string, until time.Time) error {
	if err := j.Holds(claim); err != nil {
		return err
	}
	j.Attempt, j.Stops, j.Cause = 0, 0, ""
	j.Claim, j.LeaseUntil = "", time.Time{}
	j.lookAt(until)
	return nil
}

// Follows reports whether something of a batch or a part is to be done after its end: see
// [Job.Owes].
func (j *Job) Follows() bool { return j.Owes && j.Phase.Terminal() }

// Listed gives a batch that has ended the results that were gathered after its end.
func (j *Job) Listed(now time.Time, results []Result, t Tally) {
	j.Results = results
	j.Made = j.made()
	j.Plan.Listed = true
	t.Rows = j.Tally.Rows
	j.Roll(now, t)
}

// Followed notes that what follows the end of a batch or a part is done.
func (j *Job) Followed() {
	j.Owes = false
	if j.Deleted {
		return // and due at once
	}
	j.DueAt = j.Destruction
}

// owe notes that a batch or a part has ended with more to do.
func (j *Job) owe(now time.Time) {
	if j.Kind != Batch && j.Kind != Part {
		return
	}
	j.Owes = true
	j.DueAt = now.Add(Follow)
	if j.Plan != nil {
		j.Plan.Untold = true
	}
}

// Roll brings the tally of a batch up to date. Counts never go down while it runs: a part
// that lost its worker makes its rows again.
func (j *Job) Roll(now time.Time, t Tally) {
	t.Rows = max(t.Rows, j.Tally.Rows)
	if t.Seen() >= j.Tally.Seen() || j.Phase.Terminal() {
		j.Tally = t
	}
	if j.Plan != nil {
		j.Plan.Counted = now
	}
	j.Progress.Results, j.Progress.Of = int(j.Tally.Seen()), int(j.Tally.Rows)
}

// Predicted returns when a batch will have ended if it goes on as it did, or the zero time.
// The rate is that until it was last counted.
func (j *Job) Predicted() time.Time {
	seen, rows := j.Tally.Seen(), j.Tally.Rows
	if j.Kind != Batch || j.Phase != Executing || j.Plan == nil || j.Plan.Running.IsZero() || seen == 0 || !j.Plan.Counted.After(j.Plan.Running) {
		return time.Time{}
	}
	took := j.Plan.Counted.Sub(j.Plan.Running)
	return j.Plan.Counted.Add(time.Duration(float64(took) * float64(rows-seen) / float64(seen)))
}

// StopPart ends a part because its batch has ended: what it has made stays. The error is
// [fault.Phase] if it has ended already.
func (j *Job) StopPart(now time.Time) error {
	if j.Kind != Part {
		return fault.New(fault.Phase, "uws.StopPart", "the job is no part of a batch")
	}
	return j.Abort(now, "its batch has ended")
}
