package api

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/votable"
)

// tan returns a FITS file with a small image around a place.
func tan(ra, dec float64) []byte {
	var header bytes.Buffer
	for _, card := range []string{
		"SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2", "NAXIS1  =                   40", "NAXIS2  =                   20",
		"CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CRPIX1  = 20.5", "CRPIX2  = 10.5", "CDELT1  = -0.001", "CDELT2  = 0.001",
		fmt.Sprintf("CRVAL1  = %g", ra), fmt.Sprintf("CRVAL2  = %g", dec), "END",
	} {
		fmt.Fprintf(&header, "%-80s", card)
	}
	return append(fmt.Appendf(nil, "%-2880s", header.String()), make([]byte, 2880)...)
}

const (
	openPrefix   = "ivo://example.org/open?"
	secretPrefix = "ivo://example.org/secret?"
)

// counting counts how often objects are opened, and fails for some.
type counting struct {
	objects.Root
	opened atomic.Int32
}

func (c *counting) Open(ctx context.Context, name string) (objects.Source, error) {
	c.opened.Add(1)
	switch name {
	case "busy.fits":
		return nil, fault.New(fault.Unavailable, "test", "the disk is busy")
	case "panic.fits":
		panic("at the disk")
	}
	return c.Root.Open(ctx, name)
}

// service returns a handler over a public and a private collection.
func service(t *testing.T, change func(*Config)) (http.Handler, *counting) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"a.fits": tan(10, 20), "b & <c>.fits": tan(0.001, 0), "text.fits": []byte("no image"), "secret.fits": tan(1, 1),
		"nosky.fits": []byte(strings.ReplaceAll(string(tan(1, 1)), "CTYPE", "XTYPE")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := objects.OpenRoot(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	root := &counting{Root: folder}
	resolver, err := archive.NewCollections(
		archive.Collection{Prefix: openPrefix, Root: root, Examples: []string{"text.fits", "a.fits", "b & <c>.fits", "nosky.fits"}},
		archive.Collection{Prefix: secretPrefix, Root: root, Groups: []string{"team"}})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Archive: resolver, Auth: auth.None{}, PublicURL: "https://soda.example.org", Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	return New(c), root
}

func ask(t *testing.T, h http.Handler, method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// table returns the rows of a document of links.
func table(t *testing.T, w *httptest.ResponseRecorder) (rows [][]any, err error) {
	t.Helper()
	reader, err := votable.NewReader(w.Body)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for row, err := range reader.Rows() {
		if err != nil {
			return rows, err
		}
		rows = append(rows, slices.Clone(row))
	}
	return rows, nil
}

// DL-11: each dataset has its rows, together and in the order of the request; what is wrong
// with one costs the others nothing.
func TestLinks(t *testing.T) {
	h, root := service(t, nil)
	ids := []string{openPrefix + "a.fits", openPrefix + "none.fits", openPrefix + "text.fits", "nonsense\ufffe", openPrefix + "../x", secretPrefix + "secret.fits",
		secretPrefix + "none.fits", openPrefix + "busy.fits", openPrefix + "panic.fits", openPrefix + "b & <c>.fits", openPrefix + "nosky.fits", openPrefix + "a.fits"}
	w := ask(t, h, "POST", "/links?responseformat=votable", url.Values{"id": ids, "FOO": {"bar"}})
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-votable+xml;content=datalink" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	document := w.Body.String()
	rows, err := table(t, w)
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ id, url, service, fault, semantics string }
	var got []row
	for _, r := range rows {
		got = append(got, row{r[0].(string), r[1].(string), r[2].(string), strings.SplitN(r[3].(string), ":", 2)[0], r[5].(string)})
	}
	whole := func(id string) row {
		return row{id, "https://soda.example.org/sync?ID=" + url.QueryEscape(id), "", "", "#this"}
	}
	none := func(id, fault string) row { return row{id, "", "", fault, "#this"} }
	want := []row{
		whole(ids[0]), {ids[0], "", "soda-sync-1", "", "#cutout"}, {ids[0], "", "cutout_service", "", "#proc"},
		none(ids[1], "NotFoundFault"), none(ids[2], "FatalFault"), none("nonsense\uFFFD", "NotFoundFault"), none(ids[4], "UsageFault"),
		none(ids[5], "NotFoundFault"), none(ids[6], "NotFoundFault"), none(ids[7], "TransientFault"), none(ids[8], "DefaultFault"),
		whole(ids[9]), {ids[9], "", "soda-sync-10", "", "#cutout"}, {ids[9], "", "soda-async-10", "", "#proc"},
		whole(ids[10]), {ids[10], "", "soda-sync-11", "", "#cutout"}, {ids[10], "", "soda-async-11", "", "#proc"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows\n%v\nwant\n%v", got, want)
	}
	if a, b := rows[7][3], rows[8][3]; a != b || a != rows[5][3] {
		t.Errorf("a private dataset is told from none:\n%v\n%v\n%v", a, b, rows[5][3])
	}
	if strings.Contains(document, "panic") && strings.Contains(document, "at the disk") {
		t.Error("an error of ours is shown")
	}
	before := root.opened.Load()
	ask(t, h, "GET", "/links?ID="+url.QueryEscape(secretPrefix+"secret.fits"), nil)
	if root.opened.Load() != before {
		t.Error("a private dataset was opened")
	}
}

// DL-01 DL-02 DL-03 DL-04 DL-05 DL-06 DL-08 DL-09: a descriptor of each service for each
// dataset, with what its parameters may be.
func TestDescriptors(t *testing.T) {
	h, _ := service(t, nil)
	w := ask(t, h, "GET", "/links?"+url.Values{"ID": {openPrefix + "a.fits", openPrefix + "nosky.fits"}}.Encode(), nil)
	var document votable.Document
	if err := xml.Unmarshal(w.Body.Bytes(), &struct {
		XMLName xml.Name `xml:"VOTABLE"`
		*votable.Document
	}{Document: &document}); err != nil {
		t.Fatal(err)
	}
	if len(document.Resources) != 5 {
		t.Fatalf("%d resources, want the table and two descriptors for each of two datasets", len(document.Resources))
	}
	for i, want := range []struct{ id, standard, url string }{
		{"soda-sync-1", "ivo://ivoa.net/std/SODA#sync-1.0", "https://soda.example.org/sync"}, {"cutout_service", "ivo://ivoa.net/std/SODA#async-1.0", "https://soda.example.org/async"},
		{"soda-sync-2", "ivo://ivoa.net/std/SODA#sync-1.0", "https://soda.example.org/sync"}, {"soda-async-2", "ivo://ivoa.net/std/SODA#async-1.0", "https://soda.example.org/async"},
	} {
		r := document.Resources[i+1]
		if r.ID != want.id || r.Name != want.id || r.Type != "meta" || r.Utype != "adhoc:service" || r.Description == "" || len(r.Tables) > 0 {
			t.Errorf("descriptor %d is %+v", i, r)
		}
		if r.Params[0].Name != "standardID" || r.Params[0].Value != want.standard || r.Params[1].Name != "accessURL" || r.Params[1].Value != want.url {
			t.Errorf("%s: %+v", r.ID, r.Params)
		}
		if len(r.Groups) != 1 || r.Groups[0].Name != "inputParams" {
			t.Fatalf("%s: groups %+v", r.ID, r.Groups)
		}
		params := make(map[string]votable.Param)
		for _, p := range r.Groups[0].Params {
			params[p.Name] = p
			if p.Value != "" {
				t.Errorf("%s: the user cannot choose %s", r.ID, p.Name)
			}
		}
		for _, p := range []votable.Field{ // the three factors of SODA 1.0, and the types
			{Name: "ID", UCD: "meta.ref.url;meta.curation", Datatype: "char", Arraysize: "*", Ref: idColumn},
			{Name: "CIRCLE", UCD: "pos.outline;obs", Unit: "deg", Datatype: "double", Arraysize: "3", Xtype: "circle"},
			{Name: "POLYGON", UCD: "pos.outline;obs", Unit: "deg", Datatype: "double", Arraysize: "*", Xtype: "polygon"},
			{Name: "POS", UCD: "pos.outline;obs", Datatype: "char", Arraysize: "*"},
		} {
			got := params[p.Name].Field
			got.Description, got.Values = "", nil
			if fmt.Sprint(got) != fmt.Sprint(p) {
				t.Errorf("%s: %+v, want %+v", r.ID, got, p)
			}
		}
		for _, name := range []string{"BAND", "TIME", "POL"} {
			if _, ok := params[name]; ok {
				t.Errorf("%s announces %s", r.ID, name)
			}
		}
		if v := params["HDU"].Values; v == nil || v.Min.Value != "0" || v.Max.Value != "0" {
			t.Errorf("%s: HDU %+v", r.ID, v)
		}
		if v := params["MASK"].Values; v == nil || len(v.Options) != 3 || v.Options[1].Value != "nan" {
			t.Errorf("%s: MASK %+v", r.ID, v)
		}
		if params["POS"].Values != nil {
			t.Errorf("%s: POS has VALUES", r.ID)
		}
		circle, polygon := params["CIRCLE"].Values, params["POLYGON"].Values
		if strings.HasSuffix(r.ID, "2") {
			if circle != nil || polygon != nil {
				t.Errorf("%s: an image without a sky has a circle %v and a polygon %v", r.ID, circle, polygon)
			}
			continue
		}
		// 40 by 20 pixels of 0.001 degrees: half a diagonal is 0.02236.
		var ra, dec, radius float64
		if _, err := fmt.Sscan(circle.Max.Value, &ra, &dec, &radius); err != nil || ra != 10 || dec != 20 || radius < 0.02236 || radius > 0.0225 || circle.Min != nil {
			t.Errorf("%s: CIRCLE %v, %v", r.ID, circle.Max, err)
		}
		if n := len(strings.Fields(polygon.Max.Value)); n != 8 || polygon.Min != nil {
			t.Errorf("%s: POLYGON %v", r.ID, polygon.Max)
		}
	}
}

func TestLinksOfNothingAndOfTooMuch(t *testing.T) {
	h, _ := service(t, nil)
	for _, target := range []string{"/links", "/links?ID="} {
		if rows, err := table(t, ask(t, h, "GET", target, nil)); len(rows) != 0 || err != nil {
			t.Errorf("%s: %v, %v", target, rows, err)
		}
	}
	many := url.Values{}
	for i := range maxLinks + 1 {
		many.Add("ID", fmt.Sprint("x", i))
	}
	w := ask(t, h, "POST", "/links", many)
	if rows, err := table(t, w); len(rows) != maxLinks || err == nil || !strings.Contains(err.Error(), "OVERFLOW") {
		t.Errorf("%d rows, %v; want %d and OVERFLOW", len(rows), err, maxLinks)
	}
}

// DALI-08 DALI-09 of links: the type that was asked for, or an error that clients of VOTable
// can read.
func TestFormatOfLinks(t *testing.T) {
	h, _ := service(t, nil)
	for _, tt := range []struct {
		format, kind string
		status       int
	}{
		{"", "application/x-votable+xml;content=datalink", 200}, {"VOTable", "application/x-votable+xml;content=datalink", 200},
		{"application/x-votable+xml", "application/x-votable+xml", 200}, {"text/xml", "text/xml", 200},
		{"application/x-votable+xml;serialization=TABLEDATA", "application/x-votable+xml;serialization=TABLEDATA", 200},
		{"csv", "application/x-votable+xml", 400}, {"text/html", "application/x-votable+xml", 400},
	} {
		w := ask(t, h, "GET", "/links?"+url.Values{"RESPONSEFORMAT": {tt.format}}.Encode(), nil)
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind {
			t.Errorf("%q: %d of type %s, want %d of %s", tt.format, w.Code, w.Header().Get("Content-Type"), tt.status, tt.kind)
		}
		_, err := votable.NewReader(w.Body)
		if (err != nil) != (tt.status == 400) || err != nil && !strings.Contains(err.Error(), "UsageError: RESPONSEFORMAT") {
			t.Errorf("%q: %v", tt.format, err)
		}
	}
	w := ask(t, h, "POST", "/links", url.Values{"ID": {strings.Repeat("x", 2<<20)}})
	if _, err := votable.NewReader(w.Body); w.Code != 413 || err == nil {
		t.Errorf("a body of 2 MB: %d %v", w.Code, err)
	}
}

// DALI-03: RESPONSEFORMAT takes one value.
func TestFormatOfLinksIsSingle(t *testing.T) {
	h, _ := service(t, nil)
	if w := ask(t, h, "GET", "/links?RESPONSEFORMAT=votable&RESPONSEFORMAT=votable", nil); w.Code != 400 || !strings.Contains(w.Body.String(), "MultiValuedParamNotSupported") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Headers that are known are not read again.
func TestLinksReadHeadersOnce(t *testing.T) {
	h, root := service(t, nil)
	target := "/links?ID=" + url.QueryEscape(openPrefix+"a.fits")
	first := ask(t, h, "GET", target, nil).Body.String()
	if second := ask(t, h, "GET", target, nil).Body.String(); second != first || root.opened.Load() != 2 {
		t.Errorf("opened %d times; the answers are the same: %t", root.opened.Load(), first == second)
	}
}

// SEC-07: what is for everybody may be read by pages of any site; what is the local user's
// may not.
func TestOpenDocuments(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode auth.Mode
		want string
		code int
	}{
		{"public", auth.None{}, "*", 200}, {"behind a proxy", auth.Header{}, "*", 200}, {"one user's own", auth.Local{}, "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := service(t, func(c *Config) { c.Auth = tt.mode })
			for _, path := range publicPaths {
				w := ask(t, h, "GET", path, nil, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors")
				if w.Code != tt.code || w.Header().Get("Access-Control-Allow-Origin") != tt.want || w.Header().Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: %d %v", path, w.Code, w.Header())
				}
			}
		})
	}
}
