package firestorejobs

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/proto"

	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// indexed is a field of an index.
type indexed struct {
	FieldPath, Order string
}

// index returns the composite index that a query needs: the fields that it compares for
// equality, then those that it orders by. Source: Google Cloud, "Firestore index types".
// A field that is summed must be one of them.
func index(t *testing.T, q firestore.Query) (equal, ordered []indexed) {
	t.Helper()
	text, err := q.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	var run pb.RunQueryRequest
	if err := proto.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	query := run.GetStructuredQuery()
	filters := []*pb.StructuredQuery_Filter{query.GetWhere()}
	if c := query.GetWhere().GetCompositeFilter(); c != nil {
		filters = c.GetFilters()
	}
	for _, f := range filters {
		switch field := f.GetFieldFilter(); field.GetOp() {
		case pb.StructuredQuery_FieldFilter_EQUAL, pb.StructuredQuery_FieldFilter_IN:
			equal = append(equal, indexed{field.GetField().GetFieldPath(), "ASCENDING"})
		default:
			if path := query.GetOrderBy()[0].GetField().GetFieldPath(); path != field.GetField().GetFieldPath() {
				t.Errorf("the query has a range of %s and is ordered by %s", field.GetField().GetFieldPath(), path)
			}
		}
	}
	for _, o := range query.GetOrderBy() {
		if path := o.GetField().GetFieldPath(); path != firestore.DocumentID { // ends each index, in the order of the field before it
			ordered = append(ordered, indexed{path, o.GetDirection().String()})
		}
	}
	return equal, ordered
}

// The emulator answers every query; the database answers those that have an index.
func TestIndexesServeTheQueries(t *testing.T) {
	var file struct {
		Indexes []struct {
			CollectionGroup, QueryScope string
			Fields                      []indexed
		}
		FieldOverrides []struct {
			CollectionGroup, FieldPath string
			TTL                        bool
			Indexes                    []any
		}
	}
	if err := json.Unmarshal(Indexes, &file); err != nil {
		t.Fatal(err)
	}
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
			if !slices.ContainsFunc(equal, func(e indexed) bool { return !slices.Contains(have.Fields[:n], e) }) {
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
		equal = append(equal, indexed{"sums." + name, "ASCENDING"})
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
	for collection, document := range map[string]any{Collection: document{}, parts: part{}} {
		for field := range reflect.TypeOf(document).Fields() {
			path, _, _ := strings.Cut(field.Tag.Get("firestore"), ",")
			if path == "" {
				continue
			}
			has := false
			for _, o := range file.FieldOverrides {
				if o.CollectionGroup == collection && o.FieldPath == path {
					has = len(o.Indexes) == 0 && o.TTL == (path == "purgeAfter")
				}
			}
			if !has {
				t.Errorf("indexes.json does not say that %s.%s has no index of its own, or wrongly whether it is a time to live", collection, path)
			}
		}
	}
}
