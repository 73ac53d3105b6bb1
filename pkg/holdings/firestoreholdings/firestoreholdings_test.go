package firestoreholdings

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"cloud.google.com/go/firestore"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"github.com/golang/geo/s2"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/holdingstest"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns an empty store: each project of the emulator is a database of its own.
func open(t testing.TB) *Store {
	t.Helper()
	outside.Firestore(t)
	s, err := Open(t.Context(), Config{Project: "test-" + uws.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	holdingstest.Run(t, func(t *testing.T) holdings.Store { return open(t) })
}

// structured returns a query as it is sent.
func structured(t *testing.T, q firestore.Query) *pb.StructuredQuery {
	t.Helper()
	text, err := q.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	var run pb.RunQueryRequest
	if err := proto.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	return run.GetStructuredQuery()
}

// The emulator answers every query; the database answers those that have an index.
func TestIndexesServeTheQueries(t *testing.T) {
	type index struct {
		FieldPath, Order, ArrayConfig, QueryScope string
	}
	var file struct {
		Indexes []struct {
			CollectionGroup, QueryScope string
			Fields                      []index
		}
		FieldOverrides []struct {
			CollectionGroup, FieldPath string
			Indexes                    []index
		}
	}
	if err := json.Unmarshal(Indexes, &file); err != nil {
		t.Fatal(err)
	}
	s := open(t)
	list := structured(t, s.listed("c", "id"))
	filter := list.GetWhere().GetFieldFilter()
	if len(file.Indexes) != 1 || len(list.GetOrderBy()) != 1 || filter.GetOp() != pb.StructuredQuery_FieldFilter_EQUAL ||
		!reflect.DeepEqual(file.Indexes[0].Fields, []index{
			{FieldPath: filter.GetField().GetFieldPath(), Order: "ASCENDING"},
			{FieldPath: list.GetOrderBy()[0].GetField().GetFieldPath(), Order: list.GetOrderBy()[0].GetDirection().String()},
		}) {
		t.Errorf("the list is asked for by %v, and the indexes are %+v", list, file.Indexes)
	}
	at := structured(t, s.at(signed([]s2.CellID{1}))).GetWhere().GetFieldFilter()
	if at.GetOp() != pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS_ANY {
		t.Errorf("cells are asked for by %v", at)
	}
	// Of the fields that are written the cells alone have an index of their own.
	for collection, document := range map[string]any{Collection: document{}, parts: part{}} {
		for field := range reflect.TypeOf(document).Fields() {
			path, _, _ := strings.Cut(field.Tag.Get("firestore"), ",")
			if path == "" {
				continue
			}
			var want []index
			if path == at.GetField().GetFieldPath() {
				want = []index{{ArrayConfig: "CONTAINS", QueryScope: "COLLECTION"}}
			}
			has := false
			for _, o := range file.FieldOverrides {
				if o.CollectionGroup == collection && o.FieldPath == path {
					has = len(o.Indexes) == len(want) && (want == nil || o.Indexes[0] == want[0])
				}
			}
			if !has {
				t.Errorf("indexes.json does not say that %s.%s has the indexes %v of its own", collection, path, want)
			}
		}
	}
}
