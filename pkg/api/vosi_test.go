package api

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

const vosiNamespace = "http://www.ivoa.net/xml/VOSI"

// capability is one as a client reads it, by namespaces.
type capability struct {
	XMLName    xml.Name
	StandardID string `xml:"standardID,attr"`
	Interface  struct {
		Type      string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
		Role      string `xml:"role,attr"`
		Version   string `xml:"version,attr"`
		AccessURL struct {
			Use string `xml:"use,attr"`
			URL string `xml:",chardata"`
		} `xml:"accessURL"`
		Param []struct {
			Name string `xml:"name"`
		} `xml:"param"`
		Security []string `xml:"securityMethod"`
		Order    []struct {
			XMLName xml.Name
		} `xml:",any"`
	} `xml:"interface"`
}

// VOSI-01 VOSI-02 VOSI-03 VOSI-04 VOSI-05 VOSI-06 DALI-18 SODA-04 UWS-66: what the service
// can do, in siblings of /capabilities under the URL that clients use.
func TestCapabilities(t *testing.T) {
	h, _ := service(t, func(c *Config) { c.PublicURL = "https://soda.example.org/cut" })
	w := ask(t, h, "GET", "/capabilities", nil)
	var document struct {
		XMLName    xml.Name
		Capability []capability `xml:"capability"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if want := (xml.Name{Space: vosiNamespace + "Capabilities/v1.0", Local: "capabilities"}); document.XMLName != want {
		t.Errorf("the root is %v, want %v", document.XMLName, want)
	}
	const vs, browser = "vs:ParamHTTP", "vr:WebBrowser"
	if !strings.Contains(w.Body.String(), `xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1"`) || !strings.Contains(w.Body.String(), `xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0"`) {
		t.Errorf("prefixes are not declared:\n%s", w.Body)
	}
	want := []struct{ id, kind, role, version, use, path string }{
		{"ivo://ivoa.net/std/SODA#sync-1.0", vs, "std", "1.0", "full", "/sync"},
		{"ivo://ivoa.net/std/SODA#async-1.0", vs, "std", "1.0", "full", "/async"},
		{"ivo://ivoa.net/std/DataLink#links-1.1", vs, "std", "1.1", "full", "/links"},
		{"ivo://ivoa.net/std/VOSI#capabilities", vs, "std", "1.1", "full", "/capabilities"},
		{"ivo://ivoa.net/std/VOSI#availability", vs, "std", "1.1", "full", "/availability"},
		{"ivo://ivoa.net/std/DALI#examples", browser, "", "1.1", "full", "/examples"},
		{"ivo://ivoa.net/std/UWS#rest-1.1", vs, "std", "1.1", "base", "/async"},
	}
	if len(document.Capability) != len(want) {
		t.Fatalf("%d capabilities, want %d", len(document.Capability), len(want))
	}
	for i, c := range document.Capability {
		it, x := c.Interface, want[i]
		if c.XMLName.Space != "" || c.StandardID != x.id || it.Type != x.kind || it.Role != x.role || it.Version != x.version ||
			it.AccessURL.Use != x.use || it.AccessURL.URL != "https://soda.example.org/cut"+x.path || len(it.Security) > 0 {
			t.Errorf("capability %d is %+v, want %+v", i, c, x)
		}
		if i < 2 && (len(it.Param) < 10 || it.Param[0].Name != "ID" || it.Param[1].Name != "CIRCLE") {
			t.Errorf("%s announces %v", c.StandardID, it.Param)
		}
		for j, e := range it.Order { // after accessURL: queryType, resultType, param
			if order := "queryType resultType param"; j > 0 && strings.Index(order, e.XMLName.Local) < strings.Index(order, it.Order[j-1].XMLName.Local) {
				t.Errorf("%s: %s stands behind %s", c.StandardID, e.XMLName.Local, it.Order[j-1].XMLName.Local)
			}
		}
	}
}

// VOSI-07 VOSI-10: capabilities are only read, and there are no tables.
func TestMethodsOfCapabilities(t *testing.T) {
	h, _ := service(t, nil)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/capabilities", 200}, {"HEAD", "/capabilities", 200}, {"POST", "/capabilities", 405}, {"PUT", "/capabilities", 405}, {"DELETE", "/capabilities", 405}, {"GET", "/tables", 404},
	} {
		w := ask(t, h, tt.method, tt.path, nil)
		if w.Code != tt.status || tt.status == 200 && w.Header().Get("Last-Modified") == "" {
			t.Errorf("%s %s: %d %v", tt.method, tt.path, w.Code, w.Header())
		}
	}
}

// VOSI-08 VOSI-09: what its parts say is what the service says, with status 200.
func TestAvailability(t *testing.T) {
	up := func(context.Context) error { return nil }
	down := func(context.Context) error { return fault.New(fault.Unavailable, "test", "the disk is full") }
	broken := func(context.Context) error { return context.Canceled }
	late := func(context.Context) error { time.Sleep(slow + 50*time.Millisecond); return nil }
	for _, tt := range []struct {
		name      string
		checks    []Check
		available bool
		notes     []string
	}{
		{"all is well", []Check{{"jobs", false, up}, {"archive", true, up}}, true, []string{"jobs: up", "archive: up"}},
		{"a part is down", []Check{{"jobs", false, down}, {"archive", true, up}}, false, []string{"jobs: down (the disk is full)", "archive: up"}},
		{"a part that can be spared is down", []Check{{"jobs", false, up}, {"archive", true, down}}, true, []string{"jobs: up", "degraded; archive: down (the disk is full)"}},
		{"a part is slow", []Check{{"jobs", false, late}}, true, []string{"degraded; jobs: up, but slow (1"}},
		{"an error of ours", []Check{{"jobs", false, broken}}, false, []string{"jobs: down (the service could not finish in time; ask again later)"}},
		{"nothing to check", nil, true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := service(t, func(c *Config) { c.Checks = tt.checks })
			w := ask(t, h, "GET", "/availability", nil)
			var document struct {
				XMLName   xml.Name
				Available bool      `xml:"http://www.ivoa.net/xml/VOSIAvailability/v1.0 available"`
				UpSince   time.Time `xml:"http://www.ivoa.net/xml/VOSIAvailability/v1.0 upSince"`
				Notes     []string  `xml:"http://www.ivoa.net/xml/VOSIAvailability/v1.0 note"`
			}
			if err := xml.Unmarshal(w.Body.Bytes(), &document); err != nil {
				t.Fatal(err)
			}
			if w.Code != http.StatusOK || document.XMLName.Space != vosiNamespace+"Availability/v1.0" || document.Available != tt.available || document.UpSince.IsZero() {
				t.Errorf("%d %+v", w.Code, document)
			}
			if len(document.Notes) != len(tt.notes) {
				t.Fatalf("notes %q, want %q", document.Notes, tt.notes)
			}
			for i, note := range tt.notes {
				if !strings.HasPrefix(document.Notes[i], note) {
					t.Errorf("note %q, want %q", document.Notes[i], note)
				}
			}
		})
	}
}

// element is a piece of a document with attributes and children.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element  `xml:",any"`
}

func (e *element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// all returns the elements, e among them, of which name has the value.
func (e *element) all(name, value string) (found []*element) {
	if e.attr(name) == value {
		found = append(found, e)
	}
	for i := range e.Children {
		found = append(found, e.Children[i].all(name, value)...)
	}
	return found
}

// requests reads the examples of a document as a client of DALI does.
func requests(t *testing.T, w *httptest.ResponseRecorder) (all []map[string]string) {
	t.Helper()
	var page element
	if err := xml.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatalf("%v\n%s", err, w.Body)
	}
	if v := page.all("vocab", "http://www.ivoa.net/rdf/examples#"); len(v) != 1 || strings.Count(w.Body.String(), "vocab=") != 1 {
		t.Errorf("vocab stands in %d elements", len(v))
	}
	for _, e := range page.all("typeof", "example") {
		names := e.all("property", "name")
		if e.attr("id") == "" || e.attr("resource") != "#"+e.attr("id") || len(names) != 1 || names[0].Text == "" || len(names[0].Children) > 0 {
			t.Errorf("an example with the attributes %v and %d names", e.Attrs, len(names))
		}
		request := make(map[string]string)
		for _, p := range e.all("property", "generic-parameter") {
			key, value := p.all("property", "key"), p.all("property", "value")
			if p.attr("typeof") != "keyval" || len(key) != 1 || len(value) != 1 || len(key[0].Children)+len(value[0].Children) > 0 {
				t.Fatalf("a parameter that is none: %+v", p)
			}
			request[key[0].Text] = value[0].Text
		}
		if c := e.all("property", "capability"); len(c) != 1 || c[0].Text != syncID {
			t.Errorf("capabilities %v", c)
		}
		all = append(all, request)
	}
	for _, property := range []string{"name", "capability", "generic-parameter", "key", "value"} {
		for _, e := range page.all("property", property) {
			if e.attr("href")+e.attr("src") != "" {
				t.Errorf("%s has a link, which would be its value", property)
			}
		}
	}
	return all
}

// SODA-05 DALI-19 DALI-20 DALI-21 DALI-22 DALI-23: examples of what can be cut, well-formed
// whatever the names of files; what cannot be read is none. That they work is tested beside
// the whole service.
func TestExamples(t *testing.T) {
	h, root := service(t, nil)
	w := ask(t, h, "GET", "/examples", nil)
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/xhtml+xml") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	all := requests(t, w)
	if len(all) != 2 || all[0]["ID"] != openPrefix+"a.fits" || all[0]["CIRCLE"] != "10 20 0.032" ||
		all[1]["ID"] != openPrefix+"b & <c>.fits" || all[1]["POS"] != "CIRCLE 0.001 0 0.032" {
		t.Errorf("examples %q", all)
	}
	opened := root.opened.Load()
	ask(t, h, "GET", "/examples", nil)
	if root.opened.Load() != opened {
		t.Error("the examples of a moment ago are looked for again")
	}
}
