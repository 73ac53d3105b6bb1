package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Batches is where manifests come from. The zero Batches takes none.
type Batches struct {
	Uploads *objects.Bucket // of results, where this service keeps what is uploaded; nil: nothing may be
	Place   string          // of the folders of owners, for people: gs://bucket; "": there are none
}

// upload is a file that came with a request.
type upload struct {
	object string
	name   string
}

// taker returns what keeps the file of the parameter MANIFEST for a job.
func (s *server) taker(ctx context.Context, job string, u *upload) takeFile {
	return func(parameter, file string, body io.Reader) (err error) {
		switch {
		case !strings.EqualFold(parameter, batch.Manifest) || u.object != "":
			return errUpload(file)
		case s.Batches.Uploads == nil && s.Batches.Place != "":
			return fault.New(fault.Usage, "api.create", "this service takes no file itself; put the manifest into your folder below %s/owners/, and send its name as %s", s.Batches.Place, batch.Manifest)
		case s.Batches.Uploads == nil:
			return fault.New(fault.Unsupported, "api.create", "this service takes no manifests")
		}
		u.name = path.Base("/" + strings.ReplaceAll(file, "\\", "/"))
		object := "results/" + job + "/manifest/" + u.name
		out, err := s.Batches.Uploads.Create(ctx, object, "application/octet-stream")
		if err != nil {
			return err
		}
		defer out.Abort()
		if _, err := io.Copy(out, body); err != nil {
			return bodyError(err)
		}
		if err := out.Close(); err != nil {
			return err
		}
		u.object = object
		return nil
	}
}

func errUpload(file string) error {
	return fault.New(fault.Usage, "api.readForm", "the file %.40q was uploaded; want parameters only, or a manifest as %s to /async", file, batch.Manifest)
}

// createBatch makes a job for the rows of a manifest.
func (s *server) createBatch(w http.ResponseWriter, r *http.Request, caller auth.Caller, id string, f form, u upload, run bool) (*uws.Job, error) {
	params, runID, err := jobParams(f)
	if err != nil {
		return nil, err
	}
	sayIgnored(w, params)
	options, err := batch.Read(params)
	if err != nil {
		return nil, err
	}
	plan, err := s.manifest(caller, options, u)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	j := batch.NewJob(id, now, plan)
	j.Owner, j.Groups, j.SeesAll, j.RunID, j.Params = caller.Name, caller.Groups, caller.All, runID, params
	j.ExecutionDuration = s.Limits.MaxExecution
	j.DestroyAt(now.Add(s.Limits.Destruction), s.Limits.Remember)
	if run {
		_, err = j.Run(now)
	}
	return j, err
}

// manifest says where the manifest of a batch is.
func (s *server) manifest(caller auth.Caller, options *batch.Options, u upload) (string, error) {
	if u.object != "" {
		return u.object, nil
	}
	if s.Batches.Place == "" {
		return "", fault.New(fault.Usage, "api.create", "%s=%.100q is a name, and this service has no folders of manifests; send the file itself", batch.Manifest, options.Manifest)
	}
	own := batch.Folder(caller.Name)
	name := own + strings.TrimPrefix(options.Manifest, own)
	if err := objects.CleanName(name); err != nil {
		return "", err
	}
	return name, nil
}

// dropUpload deletes the file of a request that was refused.
func (s *server) dropUpload(ctx context.Context, u upload) {
	if u.object == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	if err := s.Batches.Uploads.Delete(ctx, u.object); err != nil {
		s.Log.WarnContext(ctx, "the file of a refused request is left", "object", u.object, "error", err)
	}
}

// ignored returns the names of parameters that mean nothing in a request.
func ignored(params []uws.Param) []string {
	names := soda.Ignored(params)
	if batch.Asks(params) {
		names = slices.DeleteFunc(names, batch.Known)
	}
	return names
}

// progressOf brings the tally of a batch that runs up to date, for who asks.
func (s *server) progressOf(ctx context.Context, j *uws.Job) {
	if j.Kind != uws.Batch || j.Phase != uws.Executing || j.Plan == nil || !j.Plan.Ready {
		return
	}
	count, err := s.Jobs.Parts(ctx, j.ID)
	if err != nil {
		s.Log.WarnContext(ctx, "the parts of a batch could not be counted", "job", j.ID, "error", err)
		return
	}
	count.Tally.Rows = j.Tally.Rows
	j.Roll(time.Now().UTC(), count.Tally)
}

// wakeBatch has a worker gather what a batch has done that was just ended.
func (s *server) wakeBatch(ctx context.Context, j *uws.Job) {
	if j == nil || !j.Follows() {
		return
	}
	if err := s.Queue.Publish(ctx, uws.Bulk, j.ID); err != nil && !errors.Is(err, context.Canceled) {
		s.Log.WarnContext(ctx, "the end of a batch is left to the sweep", "job", j.ID, "error", err)
	}
}
