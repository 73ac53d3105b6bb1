// Package firestoredbtest has what the tests of stores in Firestore share: databases of the
// emulator, queries as they are sent, and the lists of indexes that the queries need. The
// emulator answers every query; the database answers those that have an index.
package firestoredbtest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/firestore"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/proto"

	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Project returns a project whose database is empty: each project of the emulator is a
// database of its own.
func Project(t testing.TB) string {
	t.Helper()
	outside.Firestore(t)
	return "test-" + uws.NewID()
}

// Sent returns a query as it is sent.
func Sent(t testing.TB, q firestore.Query) *pb.StructuredQuery {
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

// Field is one of an index.
type Field struct {
	FieldPath, Order, ArrayConfig, QueryScope string
}

// Indexes is a list of indexes, in the form of Firebase's firestore.indexes.json.
type Indexes struct {
	Indexes []struct {
		CollectionGroup, QueryScope string
		Fields                      []Field
	}
	FieldOverrides []Override
}

// Override says of a field which indexes of its own it has, in place of those that Firestore
// makes by itself.
type Override struct {
	CollectionGroup, FieldPath string
	TTL                        bool
	Indexes                    []Field
}

// Read reads a list of indexes.
func Read(t testing.TB, text []byte) (list Indexes) {
	t.Helper()
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// Own checks that for every field that is written in documents of some collections the list
// says which indexes of its own it has: those that want returns.
func (x Indexes) Own(t testing.TB, documents map[string]any, want func(path string) Override) {
	t.Helper()
	for collection, document := range documents {
		for field := range reflect.TypeOf(document).Fields() {
			path, _, _ := strings.Cut(field.Tag.Get("firestore"), ",")
			if path == "" {
				continue
			}
			w := want(path)
			has := false
			for _, o := range x.FieldOverrides {
				if o.CollectionGroup == collection && o.FieldPath == path {
					has = o.TTL == w.TTL && slices.Equal(o.Indexes, w.Indexes)
				}
			}
			if !has {
				t.Errorf("indexes.json does not say of %s.%s that its own indexes are %v, and whether it is a time to live: %t", collection, path, w.Indexes, w.TTL)
			}
		}
	}
}
