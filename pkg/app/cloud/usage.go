package cloud

import (
	"context"
	"errors"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/jobstore"
	"github.com/seltzer-soda/seltzer/pkg/jobstore/firestorejobs"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Usage returns what each owner uses of the service of a project. It reads a few fields of
// each job that is live or ended in the last 24 hours.
func Usage(ctx context.Context, project, database string) (uses []jobstore.Use, err error) {
	s, err := firestorejobs.Open(ctx, firestorejobs.Config{Project: project, Database: database})
	if err != nil {
		return nil, err
	}
	uses, err = s.Uses(ctx, time.Now().Add(-uws.Day))
	return uses, errors.Join(err, s.Close())
}
