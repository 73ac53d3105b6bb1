package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// steering holds the names that steer a job; they are never among its parameters (UWS-26).
var steering = []string{"PHASE", "ACTION", "WAIT", "DESTRUCTION", "EXECUTIONDURATION"}

// maxDocument is how many bytes the names and values of a job's parameters may have: the
// job is one document in the store.
const maxDocument = 256 << 10

// jobParams returns the parameters that say what shall be cut, and the RUNID.
func jobParams(f form) (params []uws.Param, runID string, err error) {
	if runID, err = f.one("RUNID"); err != nil {
		return nil, "", err
	}
	if _, err := soda.Read([]uws.Param{{Name: "RUNID", Value: runID}}); err != nil {
		return nil, "", err
	}
	for _, p := range soda.Normalize(f) {
		known := soda.Lookup(p.Name)
		if slices.Contains(steering, p.Name) || known != nil && known.Control() {
			continue
		}
		params = append(params, p)
	}
	return params, runID, checkSize(params)
}

// checkSize is [fault.TooLarge] if a job cannot hold that many parameters.
func checkSize(params []uws.Param) error {
	size := 0
	for _, p := range params {
		size += len(p.Name) + len(p.Value)
	}
	if len(params) > maxParams || size > maxDocument {
		return fault.New(fault.TooLarge, "api", "the job would have %d parameters of %d bytes; want at most %d of %d bytes", len(params), size, maxParams, maxDocument)
	}
	return nil
}

// IgnoredHeader names the parameters of a request that the service does not know.
const IgnoredHeader = "X-Seltzer-Ignored"

// sayIgnored names the parameters that are not known in [IgnoredHeader], urlencoded.
func sayIgnored(w http.ResponseWriter, params []uws.Param) {
	const most = 20
	names := ignored(params)
	for i, name := range names[:min(len(names), most)] {
		names[i] = url.QueryEscape(name)
	}
	if len(names) > most {
		names = append(names[:most], "...")
	}
	if len(names) > 0 {
		w.Header().Set(IgnoredHeader, strings.Join(names, ", "))
	}
}

// viewer returns which datasets who asks may see.
func viewer(caller auth.Caller) archive.Viewer {
	return archive.Viewer{Groups: caller.Groups, All: caller.All}
}

// check refuses parameters that can never become a cutout for caller and, if run, those that
// are not complete; else it says how much work they are. Datasets are looked up by their
// ID alone: no byte of the archive is read. One ID among several that names nothing is no
// error, but will be a result that says so.
func (s *server) check(ctx context.Context, caller auth.Caller, kind uws.Kind, params []uws.Param, run bool) (work, error) {
	if batch.Asks(params) || kind == uws.Batch {
		if kind != uws.Batch {
			return work{}, fault.New(fault.Usage, "api.check", "%s makes a job of its own: send it to %s", batch.Manifest, s.listURL())
		}
		_, err := batch.Read(params)
		return work{class: uws.Bulk}, err
	}
	request, err := soda.Read(params)
	if err == nil && kind == uws.Sync {
		err = request.Single()
	}
	if err == nil && run {
		err = request.Complete()
	}
	if err != nil {
		return work{}, err
	}
	for _, id := range request.IDs {
		if _, err = s.Archive.Resolve(ctx, id, viewer(caller)); err == nil {
			break
		}
	}
	return s.weigh(ctx, caller, request), err
}
