package objects

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// hanging is a storage that takes every call and answers none; attrs lets those through that
// say how large an object is.
type hanging struct {
	driver.Bucket
	attrs bool
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (h hanging) Attributes(ctx context.Context, _ string) (*driver.Attributes, error) {
	if h.attrs {
		return &driver.Attributes{Size: 2880}, nil
	}
	return nil, hang(ctx)
}

func (hanging) NewRangeReader(ctx context.Context, _ string, _, _ int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	return nil, hang(ctx)
}

func (hanging) NewTypedWriter(ctx context.Context, _, _ string, _ *driver.WriterOptions) (driver.Writer, error) {
	return hangingWriter{ctx}, nil
}

func (hanging) ListPaged(ctx context.Context, _ *driver.ListOptions) (*driver.ListPage, error) {
	return nil, hang(ctx)
}

func (hanging) Delete(ctx context.Context, _ string, _ *driver.DeleteOptions) error { return hang(ctx) }
func (hanging) ErrorAs(error, any) bool                                             { return false }
func (hanging) ErrorCode(error) gcerrors.ErrorCode                                  { return gcerrors.Unknown }
func (hanging) Close() error                                                        { return nil }

type hangingWriter struct{ ctx context.Context }

func (w hangingWriter) Write([]byte) (int, error) { return 0, hang(w.ctx) }
func (w hangingWriter) Close() error              { return hang(w.ctx) }

// No call of a storage that does not answer is waited for longer than callTime, and asking
// again may help.
func TestNoCallHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		silent, sized := blob.NewBucket(hanging{}), blob.NewBucket(hanging{attrs: true})
		defer silent.Close()
		defer sized.Close()
		bucket := NewBucket(silent)
		create := func() *Writer {
			w, err := bucket.Create(ctx, "results/a", "text/plain")
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		source, err := NewBlobRoot(sized, "", nil).Open(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			"opening an image":  func() error { _, err := NewBlobRoot(silent, "", nil).Open(ctx, "a"); return err },
			"reading an image":  func() error { _, err := source.ReadAt(ctx, make([]byte, 80), 0); return err },
			"writing an object": func() error { _, err := io.WriteString(create(), "text"); return err },
			"closing an object": func() error { return create().Close() },
			"deleting one":      func() error { return bucket.Delete(ctx, "results/a") },
			"listing": func() (failed error) {
				for _, err := range bucket.List(ctx, "results") {
					failed = err
				}
				return failed
			},
		} {
			began := time.Now()
			err := call()
			if took := time.Since(began); !fault.Transient(err) || took != callTime {
				t.Errorf("%s: %v after %v; want a transient error after %v", name, err, took, callTime)
			}
		}
	})
}
