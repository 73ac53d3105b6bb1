package jobstore

import (
	"cmp"
	"maps"
	"slices"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Use is how much of the service an owner uses. It is counted from the jobs themselves, so
// there is no counter that could say something else.
type Use struct {
	Owner string
	Jobs  int64 // that are live: they have not ended, and are not deleted
	Rows  int64 // cutouts that these are asked for
	Bytes int64 // of results of jobs that ended in the period, deleted ones too
}

// Room is how much an owner's live jobs may be; 0 stands for any number.
type Room struct{ Jobs, Rows int64 }

// Holds reports whether so many jobs and rows fit.
func (r Room) Holds(jobs, rows int64) bool {
	return (r.Jobs <= 0 || jobs <= r.Jobs) && (r.Rows <= 0 || rows <= r.Rows)
}

// Full is the error of [Store.CreateWithin].
func Full(u Use) error {
	return fault.New(fault.Quota, "jobstore.CreateWithin", "there are %d live jobs of %d cutouts; wait until some have ended, or delete some", u.Jobs, u.Rows)
}

// What a job is live as: waiting for its owner to run it, or for a worker of its class.
const pending = "pending"

// Lives holds all that [Live] may return but "".
var Lives = []string{pending, string(uws.Interactive), string(uws.Bulk)}

// Live returns under which word a backend keeps a job among those that are live, "" if it
// is not.
func Live(j *uws.Job) string {
	switch {
	case j.Deleted || j.Phase.Terminal() || j.Kind == uws.Part: // whose rows are those of its batch
		return ""
	case j.Phase == uws.Queued || j.Phase == uws.Executing:
		return string(j.Class)
	}
	return pending
}

// Sum adds up what is used under equal names, by name.
func Sum(parts []Use) []Use {
	sums := make(map[string]Use)
	for _, p := range parts {
		s := sums[p.Owner]
		sums[p.Owner] = Use{p.Owner, s.Jobs + p.Jobs, s.Rows + p.Rows, s.Bytes + p.Bytes}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Use) int { return cmp.Compare(a.Owner, b.Owner) })
}
