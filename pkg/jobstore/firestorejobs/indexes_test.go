package firestorejobs

import (
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"

	"github.com/seltzer-soda/seltzer/pkg/firestoredb/firestoredbtest"
	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

type field = firestoredbtest.Field

func ascending(path string) field { return field{FieldPath: path, Order: "ASCENDING"} }

// index returns the composite index that a query needs: the fields that it compares for
// equality, then those that it orders by. Source: Google Cloud, "Firestore index types".
// A field that is summed must be one of them.
func index(t *testing.T, q firestore.Query) (equal, ordered []field) {
	t.Helper()
	query := firestoredbtest.Sent(t, q)
	filters := []*pb.StructuredQuery_Filter{query.GetWhere()}
	if c := query.GetWhere().GetCompositeFilter(); c != nil {
		filters = c.GetFilters()
	}
	for _, f := range filters {
		switch filter := f.GetFieldFilter(); filter.GetOp() {
		case pb.StructuredQuery_FieldFilter_EQUAL, pb.StructuredQuery_FieldFilter_IN:
			equal = append(equal, ascending(filter.GetField().GetFieldPath()))
		default:
			if path := query.GetOrderBy()[0].GetField().GetFieldPath(); path != filter.GetField().GetFieldPath() {
				t.Errorf("the query has a range of %s and is ordered by %s", filter.GetField().GetFieldPath(), path)
			}
		}
	}
	for _, o := range query.GetOrderBy() {
		if path := o.GetField().GetFieldPath(); path != firestore.DocumentID { // ends each index, in the order of the field before it
			ordered = append(ordered, field{FieldPath: path, Order: o.GetDirection().String()})
		}
	}
	return equal, ordered
}

func TestIndexesServeTheQueries(t *testing.T) {
	file := firestoredbtest.Read(t, Indexes)
	s := open(t, 0)
	used := map[int]bool{}
	for name, q := range map[string]firestore.Query{
		"an owner's list":             s.listed(jobstore.Filter{Owner: "ada"}),
		"an owner's list with all":    s.listed(jobstore.Filter{Owner: "ada", Phases: []uws.Phase{uws.Queued}, After: time.Now(), Last: 10}),
		"everybody's list":            s.listed(jobstore.Filter{All: true}),
		"everybody's list with phase": s.listed(jobstore.Filter{All: true, Phases: []uws.Phase{uws.Error, uws.Queued}, After: time.Now(), Last: 1}),
		"what is due":                 s.due(3, 500, time.Now()),
		"an owner's live jobs":        s.live("ada"),
		"live jobs":                   s.everyLive(),
		"a class's active jobs":       s.active(uws.Bulk),
		"what an owner made":          s.made("ada", time.Now()),
		"what was made":               s.everyMade(time.Now()),
	} {
		equal, ordered := index(t, q)
		found := false
		for i, have := range file.Indexes {
			n := len(have.Fields) - len(ordered)
			if have.CollectionGroup != Collection || have.QueryScope != "COLLECTION" || n < 0 || !slices.Equal(have.Fields[n:], ordered) || n != len(equal) {
				continue
			}
			if !slices.ContainsFunc(equal, func(e field) bool { return !slices.Contains(have.Fields[:n], e) }) {
				found, used[i] = true, true
			}
		}
		if !found {
			t.Errorf("%s: no index begins with %v and ends with %v", name, equal, ordered)
		}
	}
	// A sum wants an index of what is compared and of all that is added up.
	equal, _ := index(t, s.parts("a batch"))
	for _, name := range summed {
		equal = append(equal, ascending("sums."+name))
	}
	for i, have := range file.Indexes {
		if slices.Equal(have.Fields, equal) {
			used[i] = true
		}
	}
	if len(used) != len(file.Indexes) {
		t.Errorf("%d of %d indexes serve a query", len(used), len(file.Indexes))
	}

	// Every field that is written is kept out of the indexes that Firestore makes by itself.
	file.Own(t, map[string]any{Collection: document{}, parts: part{}}, func(path string) firestoredbtest.Override {
		return firestoredbtest.Override{TTL: path == "purgeAfter"}
	})
}
