package firestoredb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb"
	"github.com/seltzer-soda/seltzer/pkg/firestoredb/firestoredbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFailed(t *testing.T) {
	of := func(c codes.Code) error { return status.Error(c, "said Firestore") }
	for _, tt := range []struct {
		name string
		err  error
		want fault.Code
	}{
		{"the database is away", of(codes.Unavailable), fault.Unavailable},
		{"too slow", of(codes.DeadlineExceeded), fault.Unavailable},
		{"too slow, by our own clock", fmt.Errorf("get: %w", context.DeadlineExceeded), fault.Unavailable},
		{"who asked has gone", context.Canceled, fault.Unavailable},
		{"writers met", of(codes.Aborted), fault.Unavailable},
		{"too much at once", of(codes.ResourceExhausted), fault.Unavailable},
		{"a broken connection", errors.New("EOF"), fault.Unavailable},
		{"no right", of(codes.PermissionDenied), fault.Internal},
		{"no index", of(codes.FailedPrecondition), fault.Internal},
		{"no database", of(codes.NotFound), fault.Internal},
		{"it has a kind", fmt.Errorf("get: %w", fault.New(fault.TooLarge, "t", "too large")), fault.TooLarge},
		{"it has a kind that may pass", fault.New(fault.Unavailable, "t", "busy"), fault.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := firestoredb.Failed(tt.err, "firestoredb.Test", "it cannot be read")
			if fault.CodeOf(err) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%v is %s, want %s of %v", err, fault.CodeOf(err), tt.want, tt.err)
			}
			if firestoredb.Uncertain(tt.err) != (tt.want == fault.Unavailable) {
				t.Errorf("uncertain: %t", firestoredb.Uncertain(tt.err))
			}
		})
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for try := range 3 {
		if err := firestoredb.Pause(ctx, try); err != nil {
			t.Errorf("before try %d: %v", try, err)
		}
	}
	cancel()
	for range 20 { // at random
		if err := firestoredb.Pause(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("before the first try: %v, want %v", err, context.Canceled)
		}
	}
}

// A document has the pieces that it was last written with, and no other.
func TestPieces(t *testing.T) {
	client, err := firestore.NewClient(t.Context(), firestoredbtest.Project(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	document := client.Collection("documents").Doc("long")
	had := 0
	for _, n := range []int{3, 5, 2, 0} {
		if err := client.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
			return firestoredb.SetPieces(tx, document, "pieces", had, n, func(i int) any { return map[string]any{"n": n, "i": i} })
		}); err != nil {
			t.Fatal(err)
		}
		had = n
		found, err := document.Collection("pieces").Documents(ctx).GetAll()
		if err != nil || len(found) != n {
			t.Fatalf("%d pieces, %v; want %d", len(found), err, n)
		}
		if n == 0 {
			continue
		}
		pieces, err := client.GetAll(ctx, firestoredb.Pieces(document, "pieces", n))
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range pieces {
			if !p.Exists() || p.Data()["i"] != int64(i) || p.Data()["n"] != int64(n) {
				t.Errorf("piece %d of %d is %v", i, n, p.Data())
			}
		}
	}
}
