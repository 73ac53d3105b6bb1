package api

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/footprint"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/votable"
)

// Limits of one request for links.
const (
	maxLinks    = 300              // datasets; beyond, the answer says OVERFLOW
	linksAtOnce = 8                // datasets whose headers are read at the same time
	linksTime   = 20 * time.Second // for all of them
)

// Media types of VOTable documents (DALI 1.1, section 3.4.3).
const (
	votableType  = "application/x-votable+xml"
	datalinkType = votableType + ";content=datalink"
)

// idColumn is the XML ID of the column from which descriptors take the ID.
const idColumn = "idcol"

// links answers with what there is of some datasets (DataLink 1.1; Dowler et al.,
// REC-DataLink-1.1, 2023): of each the whole file, its cutouts by /sync and by /async, or
// why there is nothing. Nobody needs to log in; who has, sees the datasets of their groups,
// too.
func (s *server) links(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return failLinks(w, votableType, err)
	}
	format, err := linksFormat(f)
	if err != nil {
		return failLinks(w, votableType, err)
	}
	looking, err := s.looking(w, r)
	if err != nil {
		return failLinks(w, votableType, err)
	}
	ids := unique(f.all("ID"))
	found := s.describe(r.Context(), looking, ids[:min(len(ids), maxLinks)])
	return writeVOTable(w, http.StatusOK, format, s.linksDocument(found, len(ids) > len(found)))
}

// looking returns who looks at datasets: anybody, if who asks has not logged in. An answer
// that holds for one user alone is not for pages of other sites.
func (s *server) looking(w http.ResponseWriter, r *http.Request) (archive.Viewer, error) {
	caller, err := s.caller(r)
	if errors.Is(err, fault.Unauthenticated) {
		return archive.Viewer{}, nil
	}
	if err == nil && caller.Name != "" && s.Auth.Ambient(r) {
		w.Header().Del("Access-Control-Allow-Origin")
	}
	return viewer(caller), err
}

// linksParameters returns the parameters of /links.
func linksParameters() []soda.Parameter {
	id, format := *soda.Lookup("ID"), *soda.Lookup("RESPONSEFORMAT")
	id.Required = false
	id.Description = "publisher DID of a dataset; may be given several times"
	format.Description = "media type of the answer"
	format.Options = []string{"votable", votableType, datalinkType, "text/xml"}
	format.Usual, format.Example = datalinkType, "votable"
	return []soda.Parameter{id, format}
}

// unique returns the values without those that came before.
func unique(values []string) (kept []string) {
	seen := make(map[string]bool)
	for _, v := range values {
		if !seen[v] {
			seen[v] = true
			kept = append(kept, v)
		}
	}
	return kept
}

// linksFormat returns the media type that was asked for.
func linksFormat(f form) (string, error) {
	asked, err := f.one("RESPONSEFORMAT")
	if err != nil || asked == "" || strings.EqualFold(asked, "votable") {
		return datalinkType, err
	}
	if kind, _, err := mime.ParseMediaType(asked); err == nil && (kind == votableType || kind == "text/xml" || kind == "application/xml") {
		return asked, nil
	}
	return "", fault.New(fault.Usage, "api.links", "RESPONSEFORMAT is %.40q; want votable, %s or text/xml", asked, votableType)
}

// failLinks answers with an error as VOTable: clients of DataLink read nothing else.
func failLinks(w http.ResponseWriter, format string, err error) error {
	code := fault.CodeOf(err)
	sayAfter(w, answers[code].status, err)
	return writeVOTable(w, answers[code].status, format, votable.Failure(ErrorText(code, fault.Sentence(err))))
}

func writeVOTable(w http.ResponseWriter, status int, format string, d *votable.Document) error {
	var b bytes.Buffer
	if err := votable.Write(&b, d); err != nil {
		return err
	}
	w.Header().Set("Content-Type", format)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may have left
	return nil
}

// described is what is known of a dataset, or why nothing is.
type described struct {
	id        string
	name      string
	footprint *footprint.Footprint
	hdus      []*fits.HDU
	err       error
}

// describe looks at datasets, several at once. One that cannot be read costs the others
// nothing.
func (s *server) describe(ctx context.Context, looking archive.Viewer, ids []string) []*described {
	ctx, cancel := context.WithTimeout(ctx, linksTime)
	defer cancel()
	found := make([]*described, len(ids))
	var g errgroup.Group
	g.SetLimit(linksAtOnce)
	for i, id := range ids {
		g.Go(func() error {
			found[i] = &described{id: id}
			found[i].err = s.look(ctx, looking, found[i])
			return nil
		})
	}
	_ = g.Wait()
	return found
}

// look reads the headers of a dataset, unless they are known.
func (s *server) look(ctx context.Context, looking archive.Viewer, d *described) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "api.look", "panic at %q: %v", d.id, p)
		}
		if fault.CodeOf(err) == fault.Internal {
			s.Log.ErrorContext(ctx, "a dataset could not be described", "id", d.id, "error", err)
		}
	}()
	dataset, err := s.Archive.Resolve(ctx, d.id, looking)
	if errors.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "api.look", "there is no dataset with this ID; %s/examples shows some", s.PublicURL)
	}
	if err != nil {
		return err
	}
	d.name = dataset.Name
	x, err := s.index(ctx, dataset)
	if err != nil {
		return err
	}
	d.hdus, d.footprint = x.HDUs, footprint.Of(x)
	return nil
}

// index returns what the headers of a dataset say.
func (s *server) index(ctx context.Context, dataset *archive.Dataset) (*fits.Index, error) {
	source, err := dataset.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	file, err := dataset.FITS(ctx, s.Indexes, source, nil)
	if err != nil {
		return nil, err
	}
	return file.Index, nil
}

// faults are the kinds of error of DataLink 1.1, section 3.2.3; others are DefaultFault.
var faults = map[fault.Code]string{
	fault.NotFound: "NotFoundFault", fault.Usage: "UsageFault", fault.Unavailable: "TransientFault",
	fault.Corrupt: "FatalFault", fault.Unsupported: "FatalFault", fault.TooLarge: "FatalFault",
}

func faultText(err error) string {
	kind := faults[fault.CodeOf(err)]
	if kind == "" {
		kind = "DefaultFault"
	}
	return kind + ": " + fault.Sentence(err)
}

// linksDocument returns the table of links and, behind it, the descriptors of the services.
func (s *server) linksDocument(found []*described, overflow bool) *votable.Document {
	text := func(name, ucd, description string) votable.Field {
		return votable.Field{Name: name, Datatype: "char", Arraysize: "*", UCD: ucd, Description: description}
	}
	table := &votable.Table{Fields: []votable.Field{
		text("ID", "meta.id;meta.main", "the dataset"),
		text("access_url", "meta.ref.url", "where the link leads"),
		text("service_def", "meta.ref", "the descriptor of the service that makes it"),
		text("error_message", "meta.code.error", "why there is no link"),
		text("description", "meta.note", "what it is"),
		text("semantics", "meta.code", "what it is to the dataset, a term of http://www.ivoa.net/rdf/datalink/core"),
		text("content_type", "meta.code.mime", "media type"),
		{Name: "content_length", Datatype: "long", Unit: "byte", UCD: "phys.size;meta.file", Description: "size"},
	}}
	table.Fields[0].ID = idColumn
	document := &votable.Document{Resources: []votable.Resource{{
		Type: "results",
		Infos: []votable.Info{
			{Name: "standardID", Value: linksID},
			{Name: votable.QueryStatus, Value: "OK"},
		},
		Tables: []*votable.Table{table},
	}}}
	var rows [][]any
	const fitsType = "application/fits"
	for i, d := range found {
		if d.err != nil {
			rows = append(rows, []any{d.id, nil, nil, faultText(d.err), nil, "#this", nil, nil})
			continue
		}
		sync, async := "soda-sync-"+strconv.Itoa(i+1), "soda-async-"+strconv.Itoa(i+1)
		if i == 0 {
			async = "cutout_service" // by which astroquery.casda finds it
		}
		rows = append(rows,
			[]any{d.id, s.PublicURL + "/sync?ID=" + url.QueryEscape(d.id), nil, nil, d.name + ", whole", "#this", fitsType, nil},
			[]any{d.id, nil, sync, nil, "cutout of " + d.name, "#cutout", fitsType, nil},
			[]any{d.id, nil, async, nil, "cutouts of " + d.name + " as a job", "#proc", fitsType, nil})
		document.Resources = append(document.Resources,
			s.descriptor(d, sync, "Cutout of "+d.name, syncID, "/sync"),
			s.descriptor(d, async, "Cutouts of "+d.name+" as a job", asyncID, "/async"))
	}
	table.Rows = func(yield func([]any, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
		if overflow {
			yield(nil, votable.ErrOverflow)
		}
	}
	return document
}
