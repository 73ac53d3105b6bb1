package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// folder is a Root over an os.Root, which no link and no ".." leads out of.
type folder struct {
	root *os.Root
	dir  string
}

func openFolder(dir string) (Root, error) {
	root, err := os.OpenRoot(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "objects.OpenRoot", "there is no folder %q", dir)
	case errors.Is(err, fs.ErrPermission):
		return nil, fault.New(fault.Forbidden, "objects.OpenRoot", "the folder %q may not be read by this program", dir)
	case err != nil:
		return nil, fault.New(fault.Usage, "objects.OpenRoot", "%q cannot be opened as a folder: %w", dir, err)
	}
	return &folder{root: root, dir: dir}, nil
}

func (d *folder) String() string { return d.dir }
func (d *folder) Close() error   { return d.root.Close() }

// Check asks for the folder by its name: one that was unmounted or moved away is down.
func (d *folder) Check(ctx context.Context) error {
	if _, err := os.Stat(d.dir); err != nil {
		return fault.Wrap(err, fault.Unavailable, "objects.Check", "the folder of an archive cannot be read")
	}
	return ctx.Err()
}

func (d *folder) Open(ctx context.Context, name string) (Source, error) {
	if err := CleanName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK the open of a named pipe waits for a writer.
	f, err := d.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, folderError("objects.Open", name, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = folderError("objects.Open", name, err)
	case info.IsDir():
		err = fault.New(fault.NotFound, "objects.Open", "%q is a folder; want the name of a file in it", name)
	case !info.Mode().IsRegular():
		err = fault.New(fault.NotFound, "objects.Open", "%q is a device or a pipe; want the name of a file", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{file: f, name: name, info: info}, nil
}

// List leaves out files below folders that are links.
func (d *folder) List(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := fs.WalkDir(d.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil && name == ".":
				return folderError("objects.List", name, err)
			case err != nil || entry.IsDir():
				return nil
			}
			if entry.Type()&fs.ModeSymlink != 0 {
				if info, err := d.root.Stat(name); err != nil || !info.Mode().IsRegular() {
					return nil
				}
			} else if !entry.Type().IsRegular() {
				return nil
			}
			if CleanName(name) == nil && !yield(name, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", err)
		}
	}
}

// folderError gives an error of the file system its kind, and a sentence without paths.
func folderError(op, name string, err error) error {
	errno, isErrno := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Forbidden, op, "%q may not be read by this service", name)
	case !isErrno, // os.Root: the path leads out of the folder
		errors.Is(err, fs.ErrNotExist), errno == syscall.ENOTDIR, errno == syscall.ENAMETOOLONG, errno == syscall.ELOOP, errno == syscall.EINVAL, errno == syscall.ENXIO:
		return fault.Wrap(err, fault.NotFound, op, "there is no object %q", name)
	}
	return fault.Wrap(err, fault.Unavailable, op, "%q cannot be read now; ask again later", name)
}

// file is an open file. The open descriptor pins the inode, so a file that is renamed
// over it does not show; one that is rewritten in place has another size or time.
type file struct {
	file *os.File
	name string
	info fs.FileInfo
}

func (f *file) Name() string       { return f.name }
func (f *file) Size() int64        { return f.info.Size() }
func (f *file) ModTime() time.Time { return f.info.ModTime() }
func (f *file) Close() error       { return f.file.Close() }

func (f *file) Generation() string {
	return fmt.Sprintf("%d-%d-%d", inode(f.info), f.info.Size(), f.info.ModTime().UnixNano())
}

// readChunk is the number of bytes read between two looks at the context.
const readChunk = 8 << 20

func (f *file) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	part, done, err := clip(p, off, f.Size())
	if done {
		return 0, err
	}
	for n < len(part) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		m, err := f.file.ReadAt(part[n:min(n+readChunk, len(part))], off+int64(n))
		n += m
		if errors.Is(err, io.EOF) { // shorter than it was
			return 0, errChanged(f.name)
		}
		if err != nil {
			return 0, f.readError(ctx, err)
		}
	}
	if err := f.unchanged(ctx); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// ReadRuns implements runsSource.
func (f *file) ReadRuns(ctx context.Context, p []byte, n int64, offsets []int64) error {
	for i, off := range offsets {
		if off < 0 || n < 0 || off > f.Size()-n {
			return io.EOF
		}
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := f.file.ReadAt(p[int64(i)*n:][:n], off); errors.Is(err, io.EOF) {
			return errChanged(f.name)
		} else if err != nil {
			return f.readError(ctx, err)
		}
	}
	return f.unchanged(ctx)
}

// readError gives an error of reading its kind. A source that was closed while it was read
// is no missing object.
func (f *file) readError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrClosed):
		return fault.Wrap(err, fault.Unavailable, "objects.ReadAt", "%q was closed while it was read; ask again", f.name)
	}
	return folderError("objects.ReadAt", f.name, err)
}

// unchanged looks whether the file is the one that was opened. Looking after reading finds
// every write that could have been read.
func (f *file) unchanged(ctx context.Context) error {
	now, err := f.file.Stat()
	if err != nil {
		return f.readError(ctx, err)
	}
	if now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime()) {
		return errChanged(f.name)
	}
	return nil
}
