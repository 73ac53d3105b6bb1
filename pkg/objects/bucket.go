package objects

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// ErrExists is in the error of [Writer.Close] when another writer has written the name. The
// error's code is [fault.Internal]: results have names of their own, and asking again
// does not help.
var ErrExists = errors.New("objects: the object exists already")

// Bucket keeps results. Each object is written once, appears whole under its name or not
// at all, and is never changed. Methods are safe for concurrent use.
//
// A folder is a bucket for one process at a time. An object whose [Writer.Close] returned
// nil survives the end of the process, however it comes. Bytes and names are on
// the disk then, so it survives a power cut, too; one that was not closed is whole or absent. A process that is killed
// while it writes leaves name.*.tmp beside the name, which [Bucket.List] shows and
// [Bucket.Delete] removes; at most an empty folder stays.
type Bucket struct {
	blob   *blob.Bucket
	dir    string // of a folder, else ""
	around Around // nil: nothing
}

// callTime is for one call of a storage: a range read, the end of an object, a page of a list.
const callTime = time.Minute

// Around stands around each call of a bucket that asks the storage something: Create, Close
// (of a writer), Open, Delete, List. It calls do, or fails without.
type Around func(ctx context.Context, method, name string, do func(ctx context.Context) error) error

// Around returns the bucket with a around each of its calls. Either may be closed.
func (b *Bucket) Around(a Around) *Bucket { return &Bucket{b.blob, b.dir, a} }

func (b *Bucket) call(ctx context.Context, method, name string, do func(ctx context.Context) error) error {
	if b.around == nil {
		return do(ctx)
	}
	return b.around(ctx, method, name, do)
}

// folders makes what fileblob does in several steps one step: test and rename, make a
// folder and a file in it, remove a file and the folder that it leaves empty.
var folders sync.Mutex

// OpenBucket opens a folder (a path or file:///path, made if it is not there, for this
// user only), or a bucket by the URL of a scheme that the program links: gs://bucket/path,
// mem:// for tests. The error is [fault.Usage].
func OpenBucket(ctx context.Context, rawURL string) (*Bucket, error) {
	place, err := parsePlace("objects.OpenBucket", rawURL)
	switch {
	case err != nil:
		return nil, err
	case place.folder != "":
		dir, err := filepath.Abs(place.folder)
		if err != nil {
			return nil, fault.New(fault.Usage, "objects.OpenBucket", "the results folder %q cannot be opened: %w", place.folder, err)
		}
		b, err := fileblob.OpenBucket(dir, &fileblob.Options{
			CreateDir: true, DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite,
		})
		if err != nil {
			return nil, fault.New(fault.Usage, "objects.OpenBucket", "the results folder %q cannot be opened: %w", place.folder, err)
		}
		return &Bucket{blob: b, dir: dir}, nil
	case place.url.Scheme == "http" || place.url.Scheme == "https":
		return nil, fault.New(fault.Usage, "objects.OpenBucket", "results cannot be written to %q; want a folder or a bucket such as gs://bucket", place.url.Redacted())
	}
	b, err := blob.OpenBucket(ctx, place.url.String())
	if err != nil {
		return nil, fault.New(fault.Usage, "objects.OpenBucket", "the results bucket %q cannot be opened: %w", place.url.Redacted(), err)
	}
	return NewBucket(b), nil
}

// NewBucket returns a Bucket over b, which it closes. The driver of b must honour
// IfNotExist by itself, as those of Google Cloud, S3 and memory do.
func NewBucket(b *blob.Bucket) *Bucket { return &Bucket{blob: b} }

// Close lets go of the bucket.
func (b *Bucket) Close() error { return b.blob.Close() }

// Check is nil if the bucket can be reached and, where it is a folder, written to.
func (b *Bucket) Check(ctx context.Context) error {
	if b.dir != "" {
		f, err := os.CreateTemp(b.dir, ".check-*.tmp")
		if err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "objects.Check", "the results folder cannot be written to")
		}
		return nil
	}
	if ok, err := b.blob.IsAccessible(ctx); err != nil || !ok {
		return fault.Wrap(err, fault.Unavailable, "objects.Check", "the results bucket does not answer or is not there")
	}
	return nil
}

// lock makes a step of a folder exclusive; it does nothing for other buckets.
func (b *Bucket) lock() (unlock func()) {
	if b.dir == "" {
		return func() {}
	}
	folders.Lock()
	return folders.Unlock
}

// Create begins an object with the media type mime, "" for one unknown. Nothing is seen under its name until
// [Writer.Close] returns nil; one of Close and [Writer.Abort] must be called.
func (b *Bucket) Create(ctx context.Context, name, mime string) (*Writer, error) {
	if err := CleanName(name); err != nil {
		return nil, err
	}
	var w *Writer
	err := b.call(ctx, "Create", name, func(ctx context.Context) (err error) {
		w, err = b.create(ctx, name, mime)
		return err
	})
	if err != nil {
		if w != nil {
			w.Abort()
		}
		return nil, err
	}
	return w, nil
}

func (b *Bucket) create(ctx context.Context, name, mime string) (*Writer, error) {
	w := &Writer{bucket: b, name: name, ctx: ctx, tag: rand.Text()}
	ctx, w.cancel = context.WithCancel(ctx)
	defer b.lock()()
	var err error
	w.blob, err = b.blob.NewWriter(ctx, name, &blob.WriterOptions{
		ContentType: cmp.Or(mime, "application/octet-stream"),
		IfNotExist:  true,
		Metadata:    map[string]string{tagKey: w.tag},
		BeforeWrite: func(as func(any) bool) error {
			as(&w.file) // only a folder has one
			return nil
		},
	})
	if err != nil {
		w.cancel()
		return nil, blobError("objects.Create", name, err)
	}
	return w, nil
}

// Writer writes one object. It is not safe for concurrent use.
type Writer struct {
	bucket *Bucket
	blob   *blob.Writer
	file   *os.File // what a folder's object is written to, else nil
	cancel context.CancelFunc
	ctx    context.Context // of Create
	name   string
	tag    string // random; a bucket keeps it with the object, a folder does not
	size   int64
	sum    uint32
	done   bool
}

// tagKey names the metadata that tell which writer wrote an object.
const tagKey = "writer"

// own reports whether the object that is there is that of this writer: a driver repeats a
// write whose answer was lost, and then finds its own object in the way.
func (w *Writer) own() bool {
	attrs, err := w.bucket.blob.Attributes(w.ctx, w.name)
	return err == nil && attrs.Metadata[tagKey] == w.tag
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Name returns the name of the object.
func (w *Writer) Name() string { return w.name }

// Size returns the number of bytes written.
func (w *Writer) Size() int64 { return w.size }

// CRC32C returns the CRC-32 of the bytes written, with Castagnoli's polynomial, as Google
// Cloud Storage keeps it for each object.
func (w *Writer) CRC32C() uint32 { return w.sum }

// Write appends p.
func (w *Writer) Write(p []byte) (int, error) {
	defer time.AfterFunc(callTime, w.cancel).Stop()
	n, err := w.blob.Write(p)
	w.size += int64(n)
	w.sum = crc32.Update(w.sum, castagnoli, p[:n])
	if err != nil {
		return n, blobError("objects.Write", w.name, err)
	}
	return n, nil
}

// Close makes the object visible. If another writer was first the error holds [ErrExists]
// and that object stays as it is. After any error the object is not there, unless the
// answer of a remote bucket was lost. A second call does nothing, and so does Close
// after [Writer.Abort].
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	return w.bucket.call(w.ctx, "Close", w.name, func(context.Context) error { return w.close() })
}

func (w *Writer) close() error {
	w.done = true
	defer w.cancel()
	defer time.AfterFunc(callTime, w.cancel).Stop()
	var syncErr error
	if w.file != nil {
		if syncErr = w.file.Sync(); syncErr != nil {
			w.cancel() // Close then removes the file
		}
	}
	unlock := w.bucket.lock()
	err := w.blob.Close()
	unlock()
	if err == nil {
		syncErr = w.syncFolders()
	}
	switch {
	case syncErr != nil:
		return fault.Wrap(syncErr, fault.Unavailable, "objects.Close", "%q could not be written to the disk", w.name)
	case gcerrors.Code(err) == gcerrors.FailedPrecondition && w.own():
		return nil
	case gcerrors.Code(err) == gcerrors.FailedPrecondition:
		return fault.Wrap(errors.Join(ErrExists, err), fault.Internal, "objects.Close", "%q was written already; want each object written once", w.name)
	case err != nil:
		return blobError("objects.Close", w.name, err)
	}
	return nil
}

// syncFolders makes the name of a new object durable: the folder that holds it, and those
// above it, which may be new, up to the bucket's own. It does nothing for other buckets.
func (w *Writer) syncFolders() error {
	if w.file == nil || runtime.GOOS == "windows" { // where folders cannot be synced
		return nil
	}
	for dir := filepath.Dir(w.file.Name()); ; dir = filepath.Dir(dir) {
		f, err := os.Open(dir)              // #nosec G304 -- a folder above the file that was written
		if errors.Is(err, fs.ErrNotExist) { // deleted since, with the object
			return nil
		}
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil || len(dir) <= len(w.bucket.dir) {
			return err
		}
	}
}

// Abort drops what was written. It does nothing after [Writer.Close], so it may be deferred.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.cancel()
	_ = w.blob.Close() // says that it was cancelled
	w.bucket.prune(w.name)
}

// Object is an object of a [Bucket], open to be served: an io.ReadSeekCloser.
type Object struct {
	blob *blob.Reader
	name string
}

// Open opens an object. The error is [fault.NotFound] if there is none of that name.
func (b *Bucket) Open(ctx context.Context, name string) (*Object, error) {
	if err := CleanName(name); err != nil {
		return nil, err
	}
	var o *Object
	err := b.call(ctx, "Open", name, func(ctx context.Context) error {
		r, err := b.blob.NewReader(ctx, name, nil)
		if err != nil {
			return blobError("objects.Open", name, err)
		}
		o = &Object{blob: r, name: name}
		return nil
	})
	if err != nil {
		if o != nil {
			_ = o.Close()
		}
		return nil, err
	}
	return o, nil
}

// Size returns the size of the object in bytes.
func (o *Object) Size() int64 { return o.blob.Size() }

// ModTime returns when the object was written.
func (o *Object) ModTime() time.Time { return o.blob.ModTime() }

// Read implements [io.Reader].
func (o *Object) Read(p []byte) (int, error) { return o.blob.Read(p) }

// Seek implements [io.Seeker].
func (o *Object) Seek(offset int64, whence int) (int64, error) { return o.blob.Seek(offset, whence) }

// Close implements [io.Closer].
func (o *Object) Close() error { return o.blob.Close() }

// Delete removes an object. One that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := CleanName(name); err != nil {
		return err
	}
	return b.call(ctx, "Delete", name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		if err := b.blob.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return blobError("objects.Delete", name, err)
		}
		b.prune(name)
		return nil
	})
}

// prune removes the folders above name that are empty.
func (b *Bucket) prune(name string) {
	if b.dir == "" {
		return
	}
	defer b.lock()()
	for {
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return
		}
		name = name[:i]
		if os.Remove(filepath.Join(b.dir, filepath.FromSlash(name))) != nil { // not empty
			return
		}
	}
}

// List yields the names of the objects below the folder prefix, "" for all: those that
// begin with prefix and a slash, so that results/a1 does not list results/a10. The
// iteration ends after it yields an error, of [CleanName]'s kind for a prefix that is
// no name.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		if err := CleanName(prefix); err != nil {
			return func(yield func(string, error) bool) { yield("", err) }
		}
		prefix += "/"
	}
	return func(yield func(string, error) bool) {
		if err := b.call(ctx, "List", prefix, func(context.Context) error { return nil }); err != nil {
			yield("", err)
			return
		}
		for name, err := range listBlobs(ctx, b.blob, prefix) {
			if !yield(name, err) {
				return
			}
		}
	}
}

// Root returns the bucket as a place to read from by ranges. It is open as long as the bucket
// is, and need not be closed.
func (b *Bucket) Root() Root { return NewBlobRoot(b.blob, "the results", nil) }
