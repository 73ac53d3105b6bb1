package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

//go:embed docs.html
var docsText string

//go:embed docs.css
var docsStyle string

var docsPage = template.Must(template.New("docs").Funcs(template.FuncMap{
	"limits": limits, "quote": quote,
	"commas": func(value string) string { return strings.Join(strings.Fields(value), ", ") },
}).Parse(docsText))

// docsPolicy lets the page have its one style sheet, and nothing else from anywhere.
var docsPolicy = func() string {
	sum := sha256.Sum256([]byte(docsStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}()

// errorRow is a line of the table of errors.
type errorRow struct {
	Status int
	Label  string
	Codes  []fault.Code
}

// errorRows returns the table of answers by status and label.
func errorRows() (rows []errorRow) {
	for _, code := range slices.Sorted(maps.Keys(answers)) {
		a := answers[code]
		i := slices.IndexFunc(rows, func(r errorRow) bool { return r.Status == a.status && r.Label == a.label })
		if i < 0 {
			i = len(rows)
			rows = append(rows, errorRow{Status: a.status, Label: a.label})
		}
		rows[i].Codes = append(rows[i].Codes, code)
	}
	slices.SortStableFunc(rows, func(a, b errorRow) int { return a.Status - b.Status })
	return rows
}

// docsOperation is an operation as the page shows it.
type docsOperation struct {
	Method, Path, Summary string
	Params                []soda.Parameter // that are not among those of a cut
	Answers               []string
}

func docsOperations() (shown []docsOperation) {
	for _, o := range operations() {
		d := docsOperation{Method: o.method, Path: o.path, Summary: o.summary}
		for _, p := range o.params {
			if p.Values == soda.Union || soda.Lookup(p.Name) == nil {
				d.Params = append(d.Params, p)
			}
		}
		for _, a := range o.answers {
			d.Answers = append(d.Answers, fmt.Sprintf("%d %s", a.status, a.what))
		}
		shown = append(shown, d)
	}
	return shown
}

// docs answers with a page that says all of it to people.
func (s *server) docs(w http.ResponseWriter, r *http.Request) error {
	sample := example{ID: soda.Lookup("ID").Example, Region: "CIRCLE", Value: soda.Lookup("CIRCLE").Example}
	examples := s.findExamples(r.Context())
	if len(examples) > 0 {
		sample = examples[0]
	}
	sample.Curl = Curl(s.PublicURL, sample.ID, sample.Region, sample.Value)
	var b bytes.Buffer
	style := template.CSS(docsStyle) // #nosec G203 -- ours
	if err := docsPage.Execute(&b, struct {
		URL        string
		Style      template.CSS
		Sample     example
		Examples   []example
		Parameters []soda.Parameter
		Operations []docsOperation
		Errors     []errorRow
		Limits     Limits
		MaxCuts    int
		Ignored    string
	}{s.PublicURL, style, sample, examples, soda.Announced(), docsOperations(), errorRows(), s.Limits, soda.MaxCuts, IgnoredHeader}); err != nil {
		return fault.New(fault.Internal, "api.docs", "%w", err)
	}
	w.Header().Set("Content-Security-Policy", docsPolicy)
	return page(w, "text/html; charset=utf-8", b.Bytes())
}
