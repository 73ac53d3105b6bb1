// Package uws is the Universal Worker Service pattern of the IVOA, version 1.1
// (Harrison & Rixon, REC-UWS-1.1, 2016): the job, the phases that it moves through,
// and the XML documents that describe it.
//
// A [Job] is a value with pure rules. Nothing here reads a clock, a store or a network:
// the rules in rules.go take the present time and change the value or refuse, and stores
// only keep what the rules made of it, by compare-and-set. So the same rules hold on
// every backend, and two workers can never both win.
package uws

import (
	"crypto/rand"
	"encoding/base32"
	"math/big"
	"strings"
	"time"
)

// Phase is where a job stands in its life (UWS 1.1, section 2.1.3).
type Phase string

// The ten phases. Held, Suspended and Unknown are understood in requests and never set.
const (
	Pending   Phase = "PENDING"
	Queued    Phase = "QUEUED"
	Executing Phase = "EXECUTING"
	Completed Phase = "COMPLETED"
	Error     Phase = "ERROR"
	Aborted   Phase = "ABORTED"
	Unknown   Phase = "UNKNOWN"
	Held      Phase = "HELD"
	Suspended Phase = "SUSPENDED"
	Archived  Phase = "ARCHIVED"
)

// Phases holds all phases in the order of the standard.
var Phases = []Phase{Pending, Queued, Executing, Completed, Error, Aborted, Unknown, Held, Suspended, Archived}

// Terminal reports whether a job in phase p has ended: its work is over for good.
func (p Phase) Terminal() bool {
	return p == Completed || p == Error || p == Aborted || p == Archived
}

// Waits reports whether WAIT blocks in phase p (UWS 1.1, section 2.2.1.1).
func (p Phase) Waits() bool { return p == Pending || p == Queued || p == Executing }

// Class says which of the two queues a job uses, so that a batch of a million cannot
// starve a person who waits.
type Class string

// The two classes.
const (
	Interactive Class = "interactive" // somebody waits: sync requests and small async jobs
	Bulk        Class = "bulk"        // nobody waits: batches and large jobs
)

// Classes holds both classes.
var Classes = []Class{Interactive, Bulk}

// Kind says how a job came to be.
type Kind string

// The kinds of job.
const (
	Sync  Kind = "sync"  // behind one request of /sync; not in the list, short-lived
	Async Kind = "async" // made by its owner at /async
	Batch Kind = "batch" // for the rows of a manifest
	Part  Kind = "part"  // of a batch; never seen by its owner
)

// Param is one parameter of a request. Name is upper case; Value is as it was sent.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Result is one file that a job made. Its bytes are the object Object in the results bucket.
type Result struct {
	ID      string `json:"id"`               // child of the job's results, such as "result"
	Object  string `json:"object"`           // results/<job>/<attempt>/<name>
	Name    string `json:"name"`             // file name for people, such as "m13.fits"
	MIME    string `json:"mime"`             // media type of the bytes
	Size    int64  `json:"size"`             // bytes
	CRC32C  uint32 `json:"crc32c"`           // CRC-32C (Castagnoli) of the bytes
	Rows    int64  `json:"rows,omitempty"`   // of a batch whose outcome it holds
	Overlap bool   `json:"overlap"`          // false: no cutout, but a text that says why there is none …
	Failed  bool   `json:"failed,omitempty"` // … which is an error, not that no pixel was selected
}

// Failure is why a job is in phase ERROR or ABORTED: the errorSummary of UWS.
type Failure struct {
	Code      string `json:"code"`      // a fault.Code
	Message   string `json:"message"`   // one sentence for people
	Transient bool   `json:"transient"` // the same job may succeed when it is run again
	Detail    string `json:"detail,omitempty"`
}

// Progress counts what a running job has done.
type Progress struct {
	Done    int64 `json:"done"`              // bytes of the present result
	Total   int64 `json:"total"`             // bytes that it will have
	Results int   `json:"results,omitempty"` // that are complete
	Of      int   `json:"of,omitempty"`      // results that there will be
}

// Shards is the number of parts into which the sweep divides the jobs.
const Shards = 16

// Job is one job. Instants are UTC; the zero time means that it is not known yet.
type Job struct {
	ID      string   `json:"id"`                // random, 128 bits in base32
	Owner   string   `json:"owner"`             // "" is anonymous
	Groups  []string `json:"groups,omitempty"`  // of the owner when the job was made: it may read what is for them …
	SeesAll bool     `json:"seesAll,omitempty"` // … or everything
	RunID   string   `json:"runId,omitempty"`
	Params  []Param  `json:"params"`
	Class   Class    `json:"class"`
	Kind    Kind     `json:"kind"`
	Phase   Phase    `json:"phase"`
	Deleted bool     `json:"deleted,omitempty"` // tombstone: gone for its owner, kept until its objects are gone

	Created           time.Time     `json:"created"`
	Started           time.Time     `json:"started,omitzero"`
	Ended             time.Time     `json:"ended,omitzero"`
	ExecutionDuration time.Duration `json:"executionDuration"` // of one attempt; more ends the job as ABORTED
	Destruction       time.Time     `json:"destruction"`
	PurgeAfter        time.Time     `json:"purgeAfter"` // the store may forget the job after this

	Results  []Result `json:"results,omitempty"`
	Partial  []Result `json:"partial,omitempty"` // that are complete while the job runs: the next attempt goes on after them
	Failure  *Failure `json:"failure,omitempty"`
	Progress Progress `json:"progress,omitzero"`

	Rows   int64  `json:"rows,omitempty"`   // cutouts asked for, as a quota counts them
	Made   int64  `json:"made,omitempty"`   // bytes of the results when the job ended; stays when they are destroyed
	Parent string `json:"parent,omitempty"` // the batch that a part is of …
	Number int    `json:"number,omitempty"` // … and which one of its parts, from 0
	Plan   *Plan  `json:"plan,omitempty"`   // of a batch
	Tally  Tally  `json:"tally,omitzero"`   // what became of the rows of a batch or a part
	Owes   bool   `json:"owes,omitempty"`   // a batch or a part that has ended: what follows from that is still to be done

	Attempt    int       `json:"attempt,omitempty"`   // claims so far
	Stops      int       `json:"stops,omitempty"`     // claims that ended because the server stopped, not by the job
	Claim      string    `json:"claim,omitempty"`     // random name of the present claim, "" for none
	LeaseUntil time.Time `json:"leaseUntil,omitzero"` // the claim holds until then
	Cause      string    `json:"cause,omitempty"`     // why the last attempt was given up
	DueAt      time.Time `json:"dueAt"`               // the sweep must look at the job then
	Republish  int       `json:"republish,omitempty"` // how often the sweep has published it
	Shard      int       `json:"shard"`               // random, 0 to Shards-1: the sweep's part
	Revision   int64     `json:"revision"`            // counts writes; kept by the store
}

// NewID returns 128 random bits in 26 lower-case base32 characters. Ids carry no order
// of time, so that documents and objects named by them spread over a store's servers.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// NewShard returns a random shard.
func NewShard() int {
	n, _ := rand.Int(rand.Reader, big.NewInt(Shards)) // never fails (crypto/rand)
	return int(n.Int64())
}

// Clone returns a copy that shares nothing with j.
func (j *Job) Clone() *Job {
	c := *j
	c.Groups = append([]string(nil), j.Groups...)
	c.Params = append([]Param(nil), j.Params...)
	c.Results = append([]Result(nil), j.Results...)
	c.Partial = append([]Result(nil), j.Partial...)
	if j.Failure != nil {
		f := *j.Failure
		c.Failure = &f
	}
	if j.Plan != nil {
		p := *j.Plan
		c.Plan = &p
	}
	return &c
}
