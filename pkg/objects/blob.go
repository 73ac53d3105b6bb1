package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Pin makes reads of a bucket ask for the generation that attrs describe. It returns that
// generation as text and a [blob.ReaderOptions] BeforeRead that asks for it.
type Pin func(attrs *blob.Attributes) (generation string, before func(as func(any) bool) error)

// NewBlobRoot returns a Root over a bucket, which it closes; label is its String.
//
// With a pin, a replaced object cannot be read at all where the storage keeps no old
// generations. With a nil pin each read compares the object's size and time of change
// with those of the first, which storages give to the second at worst: a replacement of
// the same size within one second of the original is not seen.
func NewBlobRoot(bucket *blob.Bucket, label string, pin Pin) Lister {
	return &blobRoot{bucket: bucket, label: label, pin: pin}
}

type blobRoot struct {
	bucket *blob.Bucket
	label  string
	pin    Pin
}

func (b *blobRoot) String() string { return b.label }
func (b *blobRoot) Close() error   { return b.bucket.Close() }

func (b *blobRoot) Check(ctx context.Context) error {
	if ok, err := b.bucket.IsAccessible(ctx); err != nil || !ok {
		return fault.Wrap(err, fault.Unavailable, "objects.Check", "the bucket of an archive does not answer or is not there")
	}
	return nil
}

func (b *blobRoot) Open(ctx context.Context, name string) (Source, error) {
	if err := CleanName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	attrs, err := b.bucket.Attributes(ctx, name)
	if err != nil {
		return nil, blobError("objects.Open", name, err)
	}
	s := &blobSource{bucket: b.bucket, name: name, size: attrs.Size, modTime: attrs.ModTime, generation: attrs.ETag}
	if s.generation == "" {
		s.generation = fmt.Sprintf("%d-%d", attrs.Size, attrs.ModTime.UnixNano())
	}
	if b.pin != nil {
		generation, before := b.pin(attrs)
		s.generation, s.options = generation, &blob.ReaderOptions{BeforeRead: before}
	}
	return s, nil
}

func (b *blobRoot) List(ctx context.Context) iter.Seq2[string, error] {
	return listBlobs(ctx, b.bucket, "")
}

// listBlobs yields the names that begin with prefix and that [CleanName] takes.
func listBlobs(ctx context.Context, bucket *blob.Bucket, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for list := bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
			bounded, cancel := context.WithTimeout(ctx, callTime)
			object, err := list.Next(bounded)
			cancel()
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield("", blobError("objects.List", prefix, err))
				return
			case CleanName(object.Key) == nil && !yield(object.Key, nil):
				return
			}
		}
	}
}

type blobSource struct {
	bucket     *blob.Bucket
	name       string
	size       int64
	modTime    time.Time
	generation string
	options    *blob.ReaderOptions // pinned, or nil
}

func (s *blobSource) Name() string       { return s.name }
func (s *blobSource) Size() int64        { return s.size }
func (s *blobSource) ModTime() time.Time { return s.modTime }
func (s *blobSource) Generation() string { return s.generation }
func (s *blobSource) Close() error       { return nil }

func (s *blobSource) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	part, done, err := clip(p, off, s.size)
	if done {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	r, err := s.bucket.NewRangeReader(ctx, s.name, off, int64(len(part)), s.options)
	switch gcerrors.Code(err) {
	case gcerrors.OK:
	case gcerrors.NotFound, gcerrors.FailedPrecondition: // gone, or no longer this generation
		return 0, errChanged(s.name)
	default:
		return 0, blobError("objects.ReadAt", s.name, err)
	}
	n, err := io.ReadFull(r, part)
	changed := r.Size() != s.size || s.options == nil && !sameTime(r.ModTime(), s.modTime)
	err = errors.Join(err, r.Close())
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case changed:
		return 0, errChanged(s.name)
	case err != nil:
		return 0, blobError("objects.ReadAt", s.name, err)
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}

// sameTime compares to the second if either time has no fraction: the headers of a read
// carry none where the attributes may.
func sameTime(a, b time.Time) bool {
	if a.Nanosecond() == 0 || b.Nanosecond() == 0 {
		return a.Unix() == b.Unix()
	}
	return a.Equal(b)
}

// blobError gives an error of a bucket its kind and a sentence.
func blobError(op, name string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", op, err)
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fault.Wrap(err, fault.NotFound, op, "there is no object %q", name)
	case gcerrors.PermissionDenied:
		return fault.Wrap(err, fault.Forbidden, op, "%q may not be reached by this service", name)
	case gcerrors.InvalidArgument:
		return fault.Wrap(err, fault.Usage, op, "the storage does not take the name %q", name)
	}
	return fault.Wrap(err, fault.Unavailable, op, "the storage did not answer for %q; ask again later", name)
}
