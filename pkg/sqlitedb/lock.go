package sqlitedb

import (
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

func inUse(lock string) error {
	return fault.New(fault.Unavailable, "sqlitedb.Open", "the data file %s is in use by another process; stop that one first or choose another data folder", strings.TrimSuffix(lock, ".lock"))
}
