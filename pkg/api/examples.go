package api

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Examples of live datasets.
const (
	maxExamples   = 5
	examplesLook  = 16               // datasets that are looked at to find them
	examplesFresh = 10 * time.Minute // how long they hold
)

// example is a request that gives a small cutout.
type example struct {
	Name     string // of the file
	ID       string
	Region   string // CIRCLE, POLYGON or POS
	Value    string
	Standard string // of /sync
	Curl     string // the same as a command
}

// findExamples returns requests for small cutouts of datasets of the configured
// collections, those of some minutes ago perhaps.
func (s *server) findExamples(ctx context.Context) []example {
	s.exampleMu.Lock()
	defer s.exampleMu.Unlock()
	if time.Since(s.exampled) < examplesFresh {
		return s.known
	}
	ids, err := s.Archive.Examples(ctx, examplesLook)
	if err != nil {
		s.Log.WarnContext(ctx, "there are no examples now", "error", err)
		return s.known
	}
	var found []example
	for _, d := range s.describe(ctx, archive.Viewer{}, ids) {
		hard := strings.ContainsFunc(d.id, func(r rune) bool { return !unicode.IsPrint(r) }) // to show, and to copy
		if d.err != nil || hard || len(found) == maxExamples {
			continue
		}
		if circle, ok := d.footprint.Example(); ok {
			found = append(found, s.example(d, circle, len(found)))
		}
	}
	if ctx.Err() == nil {
		s.known, s.exampled = found, time.Now()
	}
	return found
}

// example returns the nth example: by CIRCLE and by POS in turn.
func (s *server) example(d *described, circle string, n int) example {
	e := example{Name: d.name, ID: d.id, Region: "CIRCLE", Value: circle, Standard: syncID}
	if n%2 == 1 {
		e.Region, e.Value = "POS", "CIRCLE "+circle
	}
	e.Curl = Curl(s.PublicURL, e.ID, e.Region, e.Value)
	return e
}

// Curl returns the shell command that asks a service for one cutout and keeps the answer.
func Curl(publicURL, id, parameter, value string) string {
	return fmt.Sprintf("curl -sSfL -G %s --data-urlencode %s --data-urlencode %s -o cutout.fits",
		quote(publicURL+"/sync"), quote("ID="+id), quote(parameter+"="+value))
}

// quote writes text as one word of a shell's command: an ID is a file's name, and may hold
// anything.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// examplesPage is XHTML with RDFa as DALI 1.1, section 2.3 wants it: no element with a
// property has a link, and each property holds nothing but text.
var examplesPage = template.Must(template.New("examples").Parse(`<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en">
<head><meta charset="utf-8"/><title>Examples of image cutouts</title></head>
<body vocab="http://www.ivoa.net/rdf/examples#">
<h1>Examples of image cutouts</h1>
{{- range $i, $e := .}}
<div id="example-{{$i}}" resource="#example-{{$i}}" typeof="example">
  <h2 property="name">{{if eq .Region "CIRCLE"}}A circle of {{.Name}}{{else}}A position in {{.Name}}{{end}}</h2>
  <p>Service: <span property="capability">{{.Standard}}</span></p>
  <p><span property="generic-parameter" typeof="keyval"><span property="key">ID</span> = <span property="value">{{.ID}}</span></span></p>
  <p><span property="generic-parameter" typeof="keyval"><span property="key">{{.Region}}</span> = <span property="value">{{.Value}}</span></span></p>
  <pre>{{.Curl}}</pre>
</div>
{{- else}}
<p>No public dataset with a sky can be shown now.</p>
{{- end}}
</body>
</html>
`))

// examples answers with requests that work (DALI 1.1, section 2.3; SODA-05).
func (s *server) examples(w http.ResponseWriter, r *http.Request) error {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := examplesPage.Execute(&b, s.findExamples(r.Context())); err != nil {
		return fault.New(fault.Internal, "api.examples", "%w", err)
	}
	return page(w, "application/xhtml+xml; charset=utf-8", b.Bytes())
}

// page answers with a whole body.
func page(w http.ResponseWriter, kind string, body []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may have left
	return nil
}
