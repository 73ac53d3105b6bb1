package local

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/app/archives"
	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/holdings"
	"github.com/seltzer-soda/seltzer/pkg/holdings/sqliteholdings"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
)

// dataFile is the name of the SQLite file in the data folder.
const dataFile = "seltzer.db"

// Index is what seltzer index works with: what a data folder holds of some archives.
type Index struct {
	Archives *archives.Archives
	Indexer  *holdings.Indexer
	db       *sqlitedb.DB
}

// OpenIndex opens the data folder of a service that does not run. The error is
// [fault.Unavailable] if it does.
func OpenIndex(ctx context.Context, data string, specs []string) (_ *Index, err error) {
	x := &Index{}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.Close())
		}
	}()
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fault.New(fault.Usage, "local.OpenIndex", "the data folder cannot be made: %w", err)
	}
	if x.Archives, err = archives.Open(ctx, archives.Config{Authority: archive.Local, Archives: specs}); err != nil {
		return nil, err
	}
	if x.db, err = sqlitedb.Open(filepath.Join(data, dataFile)); err != nil {
		return nil, err
	}
	store, err := sqliteholdings.New(ctx, x.db)
	if err != nil {
		return nil, err
	}
	x.Indexer = &holdings.Indexer{Store: store, Archive: x.Archives}
	return x, nil
}

// Close lets go of everything.
func (x *Index) Close() error {
	var errs []error
	if x.db != nil {
		errs = append(errs, x.db.Close())
	}
	if x.Archives != nil {
		errs = append(errs, x.Archives.Close())
	}
	return errors.Join(errs...)
}

// indexPeriod is between two looks at the folders that are served.
const indexPeriod = time.Hour

// keepHoldings keeps what is held of the archives that are folders up to date, until ctx
// ends. Buckets may be very large, and listing them may cost money: they are indexed by
// seltzer index.
func (s *Service) keepHoldings(ctx context.Context) {
	x := &holdings.Indexer{Store: s.holdings, Archive: s.archives, Parallel: 1}
	tick := time.NewTicker(indexPeriod)
	defer tick.Stop()
	for {
		for _, c := range s.archives.All() {
			if strings.Contains(c.Root.String(), "://") {
				continue
			}
			s.indexFolder(ctx, x, c)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) indexFolder(ctx context.Context, x *holdings.Indexer, c archive.Collection) {
	began := time.Now()
	counts := map[holdings.Outcome]int{}
	err := x.Collection(ctx, c, func(id string, outcome holdings.Outcome, err error) {
		counts[outcome]++
		if err != nil {
			s.log.WarnContext(ctx, "not indexed", "id", id, "error", err)
		}
	})
	level := slog.LevelInfo
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		s.log.WarnContext(ctx, "an archive could not be indexed", "archive", c.Prefix, "error", err)
		return
	case counts[holdings.Read]+counts[holdings.Gone] == 0:
		level = slog.LevelDebug
	}
	s.log.Log(ctx, level, "an archive is indexed", "archive", c.Prefix, "read", counts[holdings.Read], "known", counts[holdings.Known],
		"gone", counts[holdings.Gone], "broken", counts[holdings.Broken], "seconds", time.Since(began).Seconds())
}
