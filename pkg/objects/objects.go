// Package objects is where bytes live: archives, which are only read, and the results
// bucket, which is written once and served.
//
// An archive is a [Root]: a folder, a bucket, or a web server that answers ranges. Opening
// a name in it pins one generation of one object, a [Source]; bytes of two generations
// are never mixed. [Bind] makes a Source an io.ReaderAt under one context that counts
// what it reads. The results are a [Bucket].
//
// Names are relative paths with slashes; [CleanName] says which are taken. Offsets and
// sizes are in bytes. Buckets are reached through gocloud.dev/blob by URL: this package
// links the schemes file and mem, and the program adds others (gs, s3) by linking their
// drivers. To add another kind of archive: one file with its Root and one case in
// [OpenRoot]; the rules that every Root keeps are the contract suite, package objectstest.
package objects

import (
	"context"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob" // the scheme mem, for tests

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Root is an archive, or a part of one: the objects below one place. Methods are safe for
// concurrent use.
type Root interface {
	// Open pins the present generation of an object. The error is [fault.Usage] for a name
	// that [CleanName] refuses, [fault.NotFound] if there is no such object (a folder or a
	// device is none), [fault.Forbidden], [fault.Unsupported] if it cannot be read by
	// ranges, or [fault.Unavailable]. Its sentence does not say where the root is.
	Open(ctx context.Context, name string) (Source, error)

	// Close lets go of the root. Sources that are open stay readable or fail with
	// [fault.Unavailable].
	Close() error

	// Check is nil if objects can be opened now. The error is [fault.Unavailable].
	Check(ctx context.Context) error

	// String says where the root is, for operators and logs.
	String() string
}

// Lister is a [Root] that can list what it holds.
type Lister interface {
	Root

	// List yields the names of objects in no promised order. A folder that cannot be read
	// is left out. The iteration ends after it yields an error.
	List(ctx context.Context) iter.Seq2[string, error]
}

// Source is one object at one generation. ReadAt is safe for concurrent use.
type Source interface {
	Name() string       // the name it was opened by
	Size() int64        // bytes
	Generation() string // opaque text that differs between generations of the object
	ModTime() time.Time // zero if unknown

	// ReadAt reads as [io.ReaderAt] does, until ctx ends. If the object was replaced since
	// it was opened it returns bytes of the old generation or [fault.Unavailable].
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)

	Close() error
}

// maxName is the size in bytes of the longest name that a Google Cloud or an S3 bucket takes.
const maxName = 1024

// CleanName returns nil if name is a relative path that means the same object to every
// kind of storage: 1 to 1024 bytes of UTF-8 without control characters and backslashes,
// in segments divided by "/" none of which is empty, "." or "..". The error is [fault.Usage].
func CleanName(name string) error {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Usage, "objects.CleanName", format, args...)
	}
	switch {
	case name == "":
		return refuse("the name of the object is empty; want a relative path such as dr1/image.fits")
	case len(name) > maxName:
		return refuse("the name of the object has %d bytes; want at most %d", len(name), maxName)
	case !utf8.ValidString(name):
		return refuse("the name %q is not valid UTF-8", name)
	case strings.HasPrefix(name, "/"):
		return refuse("the name %q begins with /; want a relative path such as dr1/image.fits", name)
	}
	for _, r := range name {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\\' || r == '\u2028' || r == '\u2029' {
			return refuse("the name %q holds the character %U; control characters and backslashes are not taken", name, r)
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "":
			return refuse("the name %q has an empty part between or after slashes", name)
		case ".", "..":
			return refuse("the name %q has the part %q; want a path without . and ..", name, segment)
		}
	}
	return nil
}

// OpenRoot opens an archive for reading:
//
//   - a path, or file:///path: a folder. Links that lead out of it are not followed.
//   - https://host/path: a web server that answers ranges; http:// only if host is this
//     machine (localhost, 127.0.0.1, ::1). See [OpenWeb].
//   - gs://bucket/path, s3://bucket/path and others: a bucket whose driver the program links.
//
// The error is [fault.Usage] for an address that can never work, [fault.NotFound] for a
// folder that is not there.
func OpenRoot(ctx context.Context, rawURL string) (Root, error) {
	place, err := parsePlace("objects.OpenRoot", rawURL)
	switch {
	case err != nil:
		return nil, err
	case place.folder != "":
		return openFolder(place.folder)
	case place.url.Scheme == "http" || place.url.Scheme == "https":
		return OpenWeb(place.url)
	}
	return openBlobRoot(ctx, place.url, nil)
}

// OpenPinned opens an archive in a bucket whose driver the program links, with a way to pin
// generations that its storage has. The error is [fault.Usage].
func OpenPinned(ctx context.Context, rawURL string, pin Pin) (Root, error) {
	place, err := parsePlace("objects.OpenPinned", rawURL)
	if err != nil {
		return nil, err
	}
	if place.url == nil {
		return nil, fault.New(fault.Usage, "objects.OpenPinned", "%q is no bucket", rawURL)
	}
	return openBlobRoot(ctx, place.url, pin)
}

func openBlobRoot(ctx context.Context, u *url.URL, pin Pin) (Root, error) {
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, fault.New(fault.Usage, "objects.OpenRoot", "the archive %q cannot be opened: %w", u.Redacted(), err)
	}
	return NewBlobRoot(bucket, u.Redacted(), pin), nil
}

// place is where an archive or a bucket is: a folder or a URL.
type place struct {
	folder string
	url    *url.URL
}

// parsePlace reads a path or URL. The URL of a bucket comes back in the form that
// gocloud.dev takes, with the path as its parameter prefix.
func parsePlace(op, rawURL string) (place, error) {
	if rawURL == "" {
		return place{}, fault.New(fault.Usage, op, "the address is empty; want a folder or a URL such as gs://bucket/path")
	}
	if !strings.Contains(rawURL, "://") {
		return place{folder: filepath.Clean(rawURL)}, nil
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return place{}, fault.Wrap(err, fault.Usage, op, "the address is no URL; want a folder or a URL such as gs://bucket/path")
	}
	switch {
	case u.User != nil || u.Fragment != "":
		return place{}, fault.New(fault.Usage, op, "the address %q has a user name or a fragment (#); want it without", u.Redacted())
	case u.Scheme == "http" || u.Scheme == "https":
		return place{url: u}, nil
	case u.Scheme == "file":
		path := u.Path
		if u.Host == "." { // as gocloud.dev writes a relative path
			path = "." + path
		} else if u.Host != "" && u.Host != "localhost" {
			return place{}, fault.New(fault.Usage, op, "the address %q names the host %q; want file:///folder", rawURL, u.Host)
		}
		if path == "" || u.RawQuery != "" {
			return place{}, fault.New(fault.Usage, op, "the address %q names no folder; want file:///folder", rawURL)
		}
		return place{folder: filepath.Clean(filepath.FromSlash(path))}, nil
	case !blob.DefaultURLMux().ValidBucketScheme(u.Scheme):
		return place{}, fault.New(fault.Usage, op, "this program cannot read %s:// addresses (%q); it reads folders, https://, and %s",
			u.Scheme, u.Redacted(), strings.Join(blob.DefaultURLMux().BucketSchemes(), "://, ")+"://")
	}
	if path := strings.Trim(u.Path, "/"); path != "" {
		if err := CleanName(path); err != nil {
			return place{}, err
		}
		query := u.Query()
		query.Set("prefix", path+"/")
		u.RawQuery = query.Encode()
	}
	u.Path = ""
	return place{url: u}, nil
}

// clip shortens p to what an object of the given size holds from off. done is true if
// that is nothing; err is then io.EOF, or nil if p is empty, or [fault.Usage].
func clip(p []byte, off, size int64) (part []byte, done bool, err error) {
	switch {
	case off < 0:
		return nil, true, fault.New(fault.Usage, "objects.ReadAt", "the offset %d is negative", off)
	case len(p) == 0:
		return nil, true, nil
	case off >= size:
		return nil, true, io.EOF
	}
	return p[:min(int64(len(p)), size-off)], false, nil
}

// errChanged is the error of reading an object that was replaced since it was opened.
func errChanged(name string) error {
	return fault.New(fault.Unavailable, "objects.ReadAt", "%q changed while it was read; ask again to read the new one", name)
}
