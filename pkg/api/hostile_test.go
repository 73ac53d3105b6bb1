package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

// SEC-06: what is too much is refused clearly, and at once.
func TestTooMuch(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	stencils := strings.Repeat("&CIRCLE=150.1+2.2+0.001", 100_000)
	for _, tt := range []struct {
		name, method, path, body string
		want                     string
	}{
		{"10 MB of one parameter", "POST", "/async", "ID=" + strings.Repeat("x", 10<<20), "UsageError: the body is larger than 1048576 bytes; divide the request"},
		{"10 MB of parameters", "POST", "/sync", strings.Repeat("FOO=bar&", 10<<17), "UsageError: the request has more than 1000 parameters; divide it|UsageError: the body is larger than 1048576 bytes; divide the request"},
		{"1e5 stencils in a body", "POST", "/async", "ID=x" + stencils, "UsageError: the body is larger than 1048576 bytes; divide the request"},
		{"1e5 stencils in a URL", "GET", "/sync?ID=x" + stencils, "", "UsageError: the request has more than 1000 parameters; divide it"},
		{"a polygon of 5e4 vertices", "GET", "/sync?ID=x&POLYGON=" + strings.Repeat("1+2+", 50_000), "", "UsageError: POLYGON has 50000 vertices: want at most "},
		{"a polygon of 1e5 vertices", "GET", "/sync?ID=x&POLYGON=" + strings.Repeat("1+2+", 100_000), "", "UsageError: the job would have 2 parameters of 400010 bytes; want at most 1000 of 262144 bytes"},
		{"a circle of 1e5 numbers", "GET", "/sync?ID=x&CIRCLE=" + strings.Repeat("1+", 100_000), "", "UsageError: CIRCLE has 100000 values: want 3, "},
		{"1001 stencils in parts", "POST", "/async?ID=x" + strings.Repeat("&CIRCLE=1+2+3", 600), strings.Repeat("CIRCLE=1+2+3&", 600), "UsageError: the request has more than 1000 parameters; divide it"},
		{"a long word", "GET", "/sync?ID=x&CIRCLE=" + strings.Repeat("9", 100_000), "", "UsageError: CIRCLE has 1 values: want 3, "},
		{"a long number", "GET", "/sync?ID=x&CIRCLE=" + strings.Repeat("9", 100_000) + "+1+1", "", "UsageError: the longitude of CIRCLE is \"9999999999999999999999999999999999999999…\": too large for a number"},
		{"a long phase", "GET", "/async?PHASE=" + strings.Repeat("x", 100_000), "", "UsageError: PHASE=\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" is no phase"},
	} {
		began := time.Now()
		w := s.send(tt.method, tt.path, nil, tt.body)
		text, good := w.Body.String(), false
		for want := range strings.SplitSeq(tt.want, "|") {
			good = good || strings.HasPrefix(text, want)
		}
		if took := time.Since(began); w.Code/100 != 4 || !good || len(text) > 1000 || took > 5*time.Second {
			t.Errorf("%s: %d %.200q after %v, want %q", tt.name, w.Code, text, took, tt.want)
		}
	}
}

// What tries to be more than text in one place or another: it is refused, or kept as it is in
// documents that stay well-formed, and it is nowhere a header.
func TestTextIsOnlyText(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	hostile := []string{
		`<x>&"'`, `]]><uws:phase>COMPLETED</uws:phase>`, `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;`,
		"a\r\nSet-Cookie: x=1", "a\r\n\r\n<html>", "\x00", "\x1b[31m", "\u0085", "\ufffe", "\U0001f47d", "\u202e", "\xff",
		`"; filename="b.exe`, "../../etc/passwd", "%0d%0aX: y", "{{.}}", "$(id)", "' OR 1=1 --",
	}
	names := []string{"FOO", "PHASE", "ACTION", "DESTRUCTION", "EXECUTIONDURATION", "WAIT", "LAST", "AFTER"}
	for _, p := range soda.Parameters {
		names = append(names, p.Name)
	}
	for _, name := range names {
		for _, value := range hostile {
			for _, path := range []string{"/sync", "/async"} {
				w := s.ask("POST", path, nil, "MASK", "none", name, value)
				h := w.Header()
				if h.Get("Set-Cookie") != "" || h.Get("X") != "" || strings.Contains(h.Get("Location"), "\n") {
					t.Fatalf("%s=%q: headers %v", name, value, h)
				}
				if w.Code/100 == 4 {
					if kind := h.Get("Content-Type"); kind != "text/plain; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" {
						t.Errorf("%s=%q: an error of type %s", name, value, kind)
					}
					continue
				}
				if w.Code != 303 {
					t.Fatalf("%s=%q: %d %s", name, value, w.Code, w.Body)
				}
				job := strings.TrimPrefix(h.Get("Location"), base)
				doc := read[jobDocument](t, s.ask("GET", job, nil))
				if doc.Phase != "PENDING" || len(doc.Parameters) > 2 {
					t.Errorf("%s=%q: %+v", name, value, doc)
				}
				for _, p := range doc.Parameters {
					if kept := strings.NewReplacer("\ufffe", "\ufffd", "\r\n", "\n").Replace(value); p.ID == name && name != "MASK" && strings.ReplaceAll(p.Value, "\r\n", "\n") != kept {
						t.Errorf("%s=%q became %q", name, value, p.Value)
					}
				}
			}
		}
	}
	// a control character never gets into a job's run id
	for _, value := range []string{"a\x00", "a\nb", "a\tb", "\x7f", "\u0085", "\xff"} {
		if w := s.ask("POST", "/async", nil, "RUNID", value); w.Code != 400 {
			t.Errorf("RUNID=%q: %d %s", value, w.Code, w.Body)
		}
	}
	if w := s.ask("GET", "/async", http.Header{"Accept": {strings.Repeat("a/b;q=x,", 10_000)}}, "LAST", "x"); w.Code != 400 {
		t.Errorf("a long Accept: %d", w.Code)
	}
}

// SODA-20: every numeric trap in every place of every region, over HTTP.
func TestNumericTraps(t *testing.T) {
	s := newService(t, "none", api.Limits{})
	traps := []string{"NaN", "nan", "0x1p-3", "0b1", "1_0", "1e999", "-1e999", "Infinity", "1,5", "1.5f", "٣", "１", "1e", "e5", ".", "+-1", "--1", "1d5", "1:30", "1h", "null", "<1>", "\u22121"}
	for _, p := range soda.Parameters {
		for i := range p.Numbers {
			for _, trap := range traps {
				words := strings.Fields(p.Example)
				words[i] = trap
				w := s.ask("GET", "/sync", nil, "ID", dataset, p.Name, strings.Join(words, " "))
				if w.Code != 400 || !strings.HasPrefix(w.Body.String(), "UsageError: ") {
					t.Errorf("%s=%s: %d %.200s", p.Name, strings.Join(words, " "), w.Code, w.Body)
				}
			}
		}
	}
}
