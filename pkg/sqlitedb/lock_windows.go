package sqlitedb

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// acquire opens the file at path without sharing it, which locks it for as long as
// what it returns is open. The operating system closes it when the process dies.
func acquire(path string) (io.Closer, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fault.New(fault.Usage, "sqlitedb.Open", "the path %q holds a NUL", path)
	}
	const errSharingViolation = syscall.Errno(32)
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	switch {
	case err == nil:
		return os.NewFile(uintptr(h), path), nil
	case errors.Is(err, errSharingViolation):
		return nil, inUse(path)
	}
	return nil, fault.New(fault.Unavailable, "sqlitedb.Open", "the lock file %s cannot be opened: %w; check that its folder exists and may be written", path, err)
}
