package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/app/local"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

const exposure = "ivo://localhost/demo?exposure.fits" // has several HDUs

// openAPI returns the document of a service, as an independent program reads it.
func openAPI(t *testing.T, s *service) *openapi3.T {
	t.Helper()
	for _, kind := range []string{"application/xml", "application/xhtml+xml", "text/html", "application/x-votable+xml"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
	w := s.ask("GET", "/openapi.json", nil)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d of type %s", w.Code, w.Header().Get("Content-Type"))
	}
	document, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1") || document.Servers[0].URL != base {
		t.Errorf("OpenAPI %s of %v", document.OpenAPI, document.Servers)
	}
	return document
}

// call is a request for an operation of the document.
type call struct {
	s         *service
	route     routers.Route
	variables map[string]string // of the path
}

// VOSI-11 SODA-02: every operation that the document names is called, with each of its
// parameters; an independent program holds requests and answers to what the document says.
func TestOpenAPI(t *testing.T) {
	s := newService(t, "none", api.DefaultLimits)
	document := openAPI(t, s)
	done := s.done(t, "COMPLETED", "ID", dataset, "CIRCLE", circle)
	failed := s.done(t, "ERROR", "ID", "ivo://localhost/demo?none.fits", "CIRCLE", circle)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			c := &call{s: s, route: routers.Route{Spec: document, Path: path, PathItem: item, Method: method, Operation: operation}}
			t.Run(operation.OperationID, func(t *testing.T) {
				examples := c.examples(t)
				base := make(url.Values)
				for name, value := range examples {
					if c.required(name) || name == "ID" || name == "CIRCLE" {
						base.Set(name, value)
					}
				}
				for _, name := range append([]string{""}, slices.Sorted(maps.Keys(examples))...) {
					values := maps.Clone(base)
					if name != "" {
						if known := soda.Lookup(name); known != nil && known.Region {
							values.Del("CIRCLE")
						}
						values.Set(name, examples[name])
					}
					if name == "HDU" {
						values.Set("ID", exposure)
					}
					job := done
					switch {
					case operation.OperationID == "error":
						job = failed
					case method != http.MethodGet && strings.Contains(path, "{job}"):
						job = s.job(t, "ID", dataset, "CIRCLE", circle)
					}
					c.variables = map[string]string{"job": strings.TrimPrefix(job, "/async/"), "result": "result", "name": "starfield_cutout.fits"}
					c.send(t, name, values)
				}
			})
		}
	}
}

// examples returns a value of each parameter of an operation, as the document has it.
func (c *call) examples(t *testing.T) map[string]string {
	t.Helper()
	examples := make(map[string]string)
	take := func(name string, example any) {
		if list, ok := example.([]any); ok && len(list) == 1 {
			example = list[0]
		}
		if examples[name] = fmt.Sprint(example); example == nil {
			t.Errorf("%s has no example", name)
		}
	}
	for _, p := range c.route.Operation.Parameters {
		take(p.Value.Name, p.Value.Example)
	}
	if body := c.route.Operation.RequestBody; body != nil {
		for name, property := range body.Value.Content["application/x-www-form-urlencoded"].Schema.Value.Properties {
			if len(property.Value.Examples) != 1 {
				t.Fatalf("%s has %d examples", name, len(property.Value.Examples))
			}
			take(name, property.Value.Examples[0])
		}
	}
	return examples
}

func (c *call) required(name string) bool {
	for _, p := range c.route.Operation.Parameters {
		if p.Value.Name == name {
			return p.Value.Required
		}
	}
	body := c.route.Operation.RequestBody
	return body != nil && slices.Contains(body.Value.Content["application/x-www-form-urlencoded"].Schema.Value.Required, name)
}

// send sends the request; what is the parameter that it shows.
func (c *call) send(t *testing.T, what string, values url.Values) {
	t.Helper()
	path := c.route.Path
	for name, value := range c.variables {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	var body []byte
	if c.route.Method == http.MethodPost {
		body = []byte(values.Encode())
	} else if len(values) > 0 {
		path += "?" + values.Encode()
	}
	r := httptest.NewRequestWithContext(t.Context(), c.route.Method, base+path, bytes.NewReader(body))
	r.RemoteAddr = c.s.peer
	if c.route.Method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request := &openapi3filter.RequestValidationInput{Request: r, PathParams: c.variables, Route: &c.route}
	if err := openapi3filter.ValidateRequest(t.Context(), request); err != nil {
		t.Errorf("%s: the request is not as the document says: %v", what, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	c.s.Front.ServeHTTP(w, r)
	if c.route.Operation.Responses.Status(w.Code) == nil {
		t.Errorf("%s %s: %d, which the document does not name: %s", path, body, w.Code, w.Body)
		return
	}
	response := &openapi3filter.ResponseValidationInput{RequestValidationInput: request, Status: w.Code, Header: w.Header()}
	response.SetBodyBytes(w.Body.Bytes())
	if err := openapi3filter.ValidateResponse(t.Context(), response); err != nil {
		t.Errorf("%s %s: the answer is not as the document says: %v", path, body, err)
	}
}

// Errors are what the document says of them.
func TestOpenAPIOfErrors(t *testing.T) {
	s := newService(t, "none", api.DefaultLimits)
	document := openAPI(t, s)
	responses := document.Paths.Find("/sync").Get.Responses
	for _, accept := range []string{"*/*", "application/problem+json"} {
		w := s.ask("GET", "/sync", http.Header{"Accept": {accept}}, "ID", dataset, "CIRCLE", "1 2")
		kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		if w.Code != http.StatusBadRequest || responses.Default().Value.Content[kind] == nil {
			t.Errorf("Accept: %s: %d of type %s", accept, w.Code, kind)
		}
	}
}

// Operations say that they may be refused for a quota, with when to ask again, if they may.
func TestOpenAPIOfQuotas(t *testing.T) {
	s := newService(t, "none", api.DefaultLimits, func(c *local.Settings) { c.QuotaRequests = 1 })
	document := openAPI(t, s)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			told := operation.Responses.Status(http.StatusTooManyRequests) != nil
			url := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
			var w *httptest.ResponseRecorder
			for range 3 { // one request a minute is taken, perhaps this one
				for s.ask("GET", "/async", nil).Code != http.StatusTooManyRequests {
				}
				if w = s.ask(method, url, nil, "ID", dataset, "CIRCLE", circle, "PHASE", "RUN", "ACTION", "DELETE", "EXECUTIONDURATION", "60", "DESTRUCTION", "2126-01-01T00:00:00Z"); !told || w.Code == http.StatusTooManyRequests {
					break
				}
			}
			if (w.Code == http.StatusTooManyRequests) != told {
				t.Errorf("%s: %d to one request too many, and the document tells of %d: %t", operation.OperationID, w.Code, http.StatusTooManyRequests, told)
			}
			if !told || w.Code != http.StatusTooManyRequests {
				continue
			}
			r := httptest.NewRequestWithContext(t.Context(), method, base+url, nil)
			response := &openapi3filter.ResponseValidationInput{Status: w.Code, Header: w.Header(), RequestValidationInput: &openapi3filter.RequestValidationInput{
				Request: r, Route: &routers.Route{Spec: document, Path: path, PathItem: item, Method: method, Operation: operation},
			}}
			response.SetBodyBytes(w.Body.Bytes())
			if err := openapi3filter.ValidateResponse(t.Context(), response); err != nil {
				t.Errorf("%s: the refusal is not as the document says: %v", operation.OperationID, err)
			}
		}
	}
}

// The page asks nothing of anybody else, and says everything of the table.
func TestDocs(t *testing.T) {
	s := newService(t, "none", api.DefaultLimits)
	w := s.ask("GET", "/docs", nil)
	text := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	_, style, _ := strings.Cut(text, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(w.Header().Get("Content-Security-Policy"), "'sha256-"+hash+"'") {
		t.Errorf("the policy %s does not let the page have its style, %s", w.Header().Get("Content-Security-Policy"), hash)
	}
	for _, p := range soda.Announced() {
		if !strings.Contains(text, `id="`+p.Name+`"`) {
			t.Errorf("the page does not tell of %s", p.Name)
		}
	}
	for _, foreign := range []string{"<script", "src=", "<link", "@import", "ZgotmplZ"} {
		if strings.Contains(text, foreign) {
			t.Errorf("the page holds %s", foreign)
		}
	}
	_, text, found := strings.Cut(text, `<a href="sync?`)
	query, _, _ := strings.Cut(text, `"`)
	if got := s.ask("GET", "/sync?"+strings.ReplaceAll(query, "&amp;", "&"), nil); !found || got.Code != http.StatusSeeOther {
		t.Errorf("the page's first example gives %d: %s", got.Code, got.Body)
	}
}

// SODA-05 DALI-24: what /examples shows works.
func TestExamplesWork(t *testing.T) {
	s := newService(t, "none", api.DefaultLimits)
	text := s.ask("GET", "/examples", nil).Body.String()
	pairs := regexp.MustCompile(`property="key">([^<]*)</span> = <span property="value">([^<]*)<`).FindAllStringSubmatch(text, -1)
	if len(pairs) < 4 || len(pairs)%2 != 0 {
		t.Fatalf("%d parameters in\n%s", len(pairs), text)
	}
	for i := 0; i < len(pairs); i += 2 {
		id, region := pairs[i], pairs[i+1]
		got := s.ask("GET", "/sync", nil, id[1], html.UnescapeString(id[2]), region[1], html.UnescapeString(region[2]))
		if got.Code != http.StatusSeeOther {
			t.Errorf("%s %s: %d %s", id[2], region[2], got.Code, got.Body)
		}
	}
}
