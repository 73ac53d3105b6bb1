package local

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/sqlitejobs"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Usage returns what each owner uses of the service of a data folder, whether that runs or not.
func Usage(ctx context.Context, data string) (uses []jobstore.Use, err error) {
	db, err := sqlitedb.View(filepath.Join(data, dataFile))
	if err != nil {
		return nil, err
	}
	uses, err = sqlitejobs.View(db).Uses(ctx, time.Now().Add(-uws.Day))
	return uses, errors.Join(err, db.Close())
}
