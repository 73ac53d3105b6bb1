//go:build unix

package objects_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// TestFolderDoesNotWaitForAPipe: opening a named pipe would wait until somebody writes.
func TestFolderDoesNotWaitForAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.fits"), 0o666); err != nil {
		t.Fatal(err)
	}
	if src, err := openRoot(t, dir).Open(t.Context(), "pipe.fits"); !errors.Is(err, fault.NotFound) {
		t.Errorf("Open: %v, %v; want NotFound", src, err)
	}
}
