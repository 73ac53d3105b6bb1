package firestoreholdings

import (
	"slices"
	"testing"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"github.com/golang/geo/s2"
	"go.uber.org/goleak"

	"github.com/seltzer-soda/seltzer/pkg/firestoredb/firestoredbtest"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/holdingstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns an empty store.
func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Project: firestoredbtest.Project(t)})
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

func TestIndexesServeTheQueries(t *testing.T) {
	type field = firestoredbtest.Field
	file := firestoredbtest.Read(t, Indexes)
	s := open(t)
	list := firestoredbtest.Sent(t, s.listed("c", "id"))
	filter := list.GetWhere().GetFieldFilter()
	if len(file.Indexes) != 1 || len(list.GetOrderBy()) != 1 || filter.GetOp() != pb.StructuredQuery_FieldFilter_EQUAL ||
		!slices.Equal(file.Indexes[0].Fields, []field{
			{FieldPath: filter.GetField().GetFieldPath(), Order: "ASCENDING"},
			{FieldPath: list.GetOrderBy()[0].GetField().GetFieldPath(), Order: list.GetOrderBy()[0].GetDirection().String()},
		}) {
		t.Errorf("the list is asked for by %v, and the indexes are %+v", list, file.Indexes)
	}
	at := firestoredbtest.Sent(t, s.at(signed([]s2.CellID{1}))).GetWhere().GetFieldFilter()
	if at.GetOp() != pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS_ANY {
		t.Errorf("cells are asked for by %v", at)
	}
	// Of the fields that are written the cells alone have an index of their own.
	file.Own(t, map[string]any{Collection: document{}, parts: part{}}, func(path string) (want firestoredbtest.Override) {
		if path == at.GetField().GetFieldPath() {
			want.Indexes = []field{{ArrayConfig: "CONTAINS", QueryScope: "COLLECTION"}}
		}
		return want
	})
}
