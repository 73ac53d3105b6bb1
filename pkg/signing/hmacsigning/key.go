package hmacsigning

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// keyFile is the name of the file that holds the key.
const keyFile = "signing.key"

// LoadKey returns the key in the file signing.key of dir. If there is none it makes one,
// of [KeySize] random bytes in a file that only this user may read; of several processes
// that do so at once all get the same. The error is [fault.Usage] for a file that others
// may read or that has another length.
func LoadKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, keyFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(dir, path); err != nil {
			return nil, fault.New(fault.Usage, "hmacsigning.LoadKey", "no signing key can be made in %q: %w", dir, err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fault.New(fault.Usage, "hmacsigning.LoadKey", "the signing key cannot be read: %w", err)
	}
	// Windows has no such permissions.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fault.New(fault.Usage, "hmacsigning.LoadKey", "the signing key %q may be read or written by others (mode %#o); want mode 0600: chmod 600 it, or delete it to have a new one made if others may know it", path, mode)
	}
	key, err := os.ReadFile(path) // #nosec G304 -- the operator's folder
	if err != nil {
		return nil, fault.New(fault.Usage, "hmacsigning.LoadKey", "the signing key cannot be read: %w", err)
	}
	if len(key) != KeySize {
		return nil, fault.New(fault.Usage, "hmacsigning.LoadKey", "the signing key %q has %d bytes; want %d; delete it to have a new one made", path, len(key), KeySize)
	}
	return key, nil
}

// makeKey writes a new key to path, whole or not at all; that another process was first is
// no error.
func makeKey(dir, path string) error {
	f, err := os.CreateTemp(dir, ".signing-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("linking %s: %w", keyFile, err)
	}
	return nil
}
