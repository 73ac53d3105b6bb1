//go:build !windows

package sqlitedb

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// acquire takes the lock at path for as long as the file it returns is open. The
// operating system releases it when the process dies, however it dies. The file
// itself stays: removing it would let two processes lock two files of one name.
func acquire(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator's folder
	if err != nil {
		return nil, fault.New(fault.Unavailable, "sqlitedb.Open", "the lock file cannot be opened: %w; check that its folder exists and may be written", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, inUse(path)
	}
	return nil, fault.New(fault.Unavailable, "sqlitedb.Open", "the lock file %s cannot be locked: %w; use a folder on a local disk", path, err)
}
