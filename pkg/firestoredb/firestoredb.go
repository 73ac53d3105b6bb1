// Package firestoredb has what the stores in Google Cloud Firestore share: how long a call
// may take, which of its errors may pass, how a write is tried again, and how what is too
// long for a document stands in pieces below it.
//
// Source for the limits: Google Cloud, "Firestore quotas and limits".
package firestoredb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Limits of documents. Firestore takes 1 MiB for a document and 10 MiB for a commit.
const (
	MaxDocument = 700_000   // bytes of the long field of one document
	MaxCommit   = 4_000_000 // bytes of the long fields of one commit
)

// callTime is for one call, with the client's own repetitions.
const callTime = 20 * time.Second

// Bound gives one call its time.
func Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTime)
}

// Failed gives an error of Firestore, which happened in op ("package.Function"), a kind:
// [fault.Unavailable] if it is [Uncertain], else [fault.Internal]. One that has a kind
// already keeps it.
func Failed(err error, op, sentence string) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	kind := fault.Internal
	if Uncertain(err) {
		kind = fault.Unavailable
	}
	return fault.Wrap(err, kind, op, "%s", sentence)
}

// Uncertain reports whether asking again may help. A write that ends with such an error may
// have been done.
func Uncertain(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Code == fault.Unavailable
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted, codes.ResourceExhausted, codes.Internal, codes.Unknown:
		return true
	}
	return false
}

// Pause waits before a repetition, at random, so that writers do not meet again. Before the
// first try, 0, it does not wait. The error is the context's.
func Pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(rand.N(5 * time.Millisecond << min(try, 6))): // #nosec G404 -- spreads retries
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Pieces names the documents, numbered from 0, of a collection below a document, in which
// stands what is too long for it.
func Pieces(document *firestore.DocumentRef, collection string, n int) (refs []*firestore.DocumentRef) {
	for i := range n {
		refs = append(refs, document.Collection(collection).Doc(fmt.Sprint(i)))
	}
	return refs
}

// SetPieces writes the n pieces of a document in the transaction that writes the document
// itself, and removes those beyond them that it had before.
func SetPieces(tx *firestore.Transaction, document *firestore.DocumentRef, collection string, had, n int, piece func(i int) any) (err error) {
	for i, ref := range Pieces(document, collection, max(had, n)) {
		if i < n {
			err = errors.Join(err, tx.Set(ref, piece(i)))
		} else {
			err = errors.Join(err, tx.Delete(ref))
		}
	}
	return err
}
