package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// DL-10: a notebook goes from links to pixels.
func TestLinksInPyvo(t *testing.T) {
	python := outside.Python(t, "pyvo", "astropy")
	s := demoServer(t)
	outside.Run(t, python, "-W", "ignore", "testdata/pyvo_links.py", s.URL, demoID, inside)
}

// DL-01 DL-02 DL-03 DL-04 DL-07 DL-11: STILTS and the schema find nothing wrong with what
// /links answers to requests of every kind.
func TestLinksAreValid(t *testing.T) {
	odd := t.TempDir()
	for name, content := range map[string]string{"no image.fits": "text", "a&b <c>.fits": "SIMPLE", "ünï.fits": ""} {
		if err := os.WriteFile(filepath.Join(odd, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := demoServer(t, "--archive", "odd="+odd, "--archive", "demo="+filepath.Dir(demoServer(t).demoFile()))
	lint, stilts := outside.Tool(t, "xmllint"), outside.Tool(t, "stilts")
	schema := filepath.Join(outside.Standards(t), "xsd", "VOTable-v1.4.xsd")
	many := url.Values{}
	for i := range 301 {
		many.Add("ID", "x"+strings.Repeat("y", i))
	}
	for _, tt := range []struct {
		name   string
		status int
		ids    url.Values
		rows   bool // a table of links, which datalinklint reads
	}{
		{"one", 200, values("ID", demoID), true},
		{"several", 200, values("ID", demoID, "ID", "ivo://localhost/demo?exposure.fits", "ID", "ivo://localhost/demo?cube.fits"), true},
		{"odd names", 200, values("ID", "ivo://localhost/odd?no image.fits", "ID", "ivo://localhost/odd?a&b <c>.fits", "ID", "<&>]]>\ufffe\t\n", "ID", demoID), true},
		{"none", 200, nil, true},
		{"too many", 200, many, true},
		{"an error", 400, values("RESPONSEFORMAT", "<&>"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := send(t, http.DefaultClient, request(t, http.MethodPost, s.URL+"/links", tt.ids))
			if got.StatusCode != tt.status {
				t.Fatalf("%s\n%s", got.Status, got.Body)
			}
			name := filepath.Join(t.TempDir(), "links.xml")
			if err := os.WriteFile(name, []byte(got.Body), 0o600); err != nil {
				t.Fatal(err)
			}
			outside.Run(t, lint, "--nonet", "--noout", "--schema", schema, name)
			if out := outside.Run(t, stilts, "votlint", "votable="+name); strings.TrimSpace(out) != "" {
				t.Errorf("votlint: %s", out)
			}
			if !tt.rows {
				return
			}
			if out := outside.Run(t, stilts, "datalinklint", name); !strings.Contains(out, "Errors: 0; Warnings: 0;") {
				t.Errorf("datalinklint: %s", out)
			}
		})
	}
}

// STILTS reads capabilities, availability and examples over HTTP, and calls what links lead to.
func TestSTILTSOverHTTP(t *testing.T) {
	stilts := outside.Tool(t, "stilts")
	s := demoServer(t)
	out := outside.Run(t, stilts, "taplint", "tapurl="+s.URL, "stages=CPV AVV EXA")
	for _, want := range []string{"S-CPV-VALI-1 SAX report: warnings 0, errors 0, fatal 0", "S-AVV-VALI-1 SAX report: warnings 0, errors 0, fatal 0", "I-EXA-EXMP-3 Examining example #3: example-2"} {
		if !strings.Contains(out, want) {
			t.Errorf("taplint does not say %q:\n%s", want, out)
		}
	}
	// Of examples taplint wants queries for TAP, which SODA has none of.
	for _, line := range regexp.MustCompile(`(?m)^[EW]-.*$`).FindAllString(out, -1) {
		if !strings.HasPrefix(line, "E-EXA-XPRM-") {
			t.Errorf("taplint: %s", line)
		}
	}
	links := s.URL + "/links?" + values("ID", demoID).Encode()
	if out := outside.Run(t, stilts, "datalinklint", "votable="+links); !strings.Contains(out, "Errors: 0; Warnings: 0;") {
		t.Errorf("datalinklint: %s", out)
	}
}

// VOSI-01 VOSI-03 VOSI-08 DALI-19: XHTML too is well-formed for XML's own reader; the other
// documents are held to their schemas by TestDocumentsValidate.
func TestExamplesAreWellFormed(t *testing.T) {
	s := demoServer(t)
	name := filepath.Join(t.TempDir(), "examples.xhtml")
	if err := os.WriteFile(name, []byte(get(t, s.URL+"/examples").Body), 0o600); err != nil {
		t.Fatal(err)
	}
	outside.Run(t, outside.Tool(t, "xmllint"), "--nonet", "--noout", name)
}

// What Aladin Lite and Firefly need of links: one row of #cutout, whose descriptor begins
// with a circle that VALUES MAX fills in; a descriptor of async that is found by its
// standardID and titled by its description; a whole file that is an image.
func TestLinksAsViewersReadThem(t *testing.T) {
	s := demoServer(t)
	text := get(t, s.URL+"/links?"+values("ID", demoID).Encode()).Body
	if n := strings.Count(text, "<TD>#cutout</TD>"); n != 1 {
		t.Errorf("%d rows of #cutout", n)
	}
	if !regexp.MustCompile(`(?s)<PARAM name="CIRCLE" datatype="double" arraysize="3" unit="deg" ucd="pos.outline;obs" xtype="circle" value="">.*?<MAX value="150\.1163 2\.2058 0\.0\d+">`).MatchString(text) {
		t.Error("no circle to begin with")
	}
	if !regexp.MustCompile(`(?s)utype="adhoc:service">\s*<DESCRIPTION>[^<]+</DESCRIPTION>\s*<PARAM name="standardID" datatype="char" arraysize="\*" value="ivo://ivoa.net/std/SODA#async-1.0">`).MatchString(text) {
		t.Error("no descriptor of async with a title")
	}
	whole := regexp.MustCompile(`<TD>(` + regexp.QuoteMeta(s.URL) + `/sync\?ID=[^<]*)</TD>`).FindStringSubmatch(text)
	if whole == nil {
		t.Fatal("no link to the whole file")
	}
	if got := send(t, http.DefaultClient, request(t, http.MethodGet, whole[1], nil)); got.StatusCode != 200 || !strings.HasPrefix(got.Body, "SIMPLE  =") {
		t.Errorf("the whole file: %s", got.Status)
	}
}
