package api

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// pairs makes a form of names and values.
func pairs(words ...string) (f form) {
	for i := 0; i < len(words); i += 2 {
		f = append(f, uws.Param{Name: words[i], Value: words[i+1]})
	}
	return f
}

func TestReadForm(t *testing.T) {
	multi := func(boundary string, fields ...string) (kind, body string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.SetBoundary(boundary); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(fields); i += 2 {
			if err := w.WriteField(fields[i], fields[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		return w.FormDataContentType(), b.String()
	}
	const urlencoded = "application/x-www-form-urlencoded"
	// The boundary and the lines of STILTS (uk.ac.starlink.vo.UwsJob).
	const stiltsBoundary = "<<<--------------MULTIPART-BOUNDARY------->>>"
	var stilts string
	for _, p := range [][2]string{{"ID", "a b"}, {"CIRCLE", "1 2 3"}} {
		stilts += "--" + stiltsBoundary + "\r\nContent-Disposition: form-data; name=\"" + p[0] + "\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + p[1] + "\r\n"
	}
	stilts += "--" + stiltsBoundary + "--\r\n"
	kind, body := multi("simple", "id", "a b", "CIRCLE", "1 2 3")
	for _, tt := range []struct {
		name              string
		method, query     string
		contentType, body string
		want              form
		code              fault.Code
	}{
		{"the order of the request is kept", "GET", "POS=a&ID=b&POS=c", "", "", pairs("POS", "a", "ID", "b", "POS", "c"), ""},
		{"URL and body together", "POST", "ID=a", urlencoded, "CIRCLE=1+2+3", pairs("ID", "a", "CIRCLE", "1 2 3"), ""},
		{"a character set is named", "POST", "", urlencoded + "; charset=UTF-8", "ID=a", pairs("ID", "a"), ""},
		{"a plus sign is a blank, %2B is a plus", "GET", "BAND=1+%2BInf", "", "", pairs("BAND", "1 +Inf"), ""},
		{"no value", "GET", "ID&CIRCLE=", "", "", pairs("ID", "", "CIRCLE", ""), ""},
		{"an = in the value", "GET", "ID=a=b", "", "", pairs("ID", "a=b"), ""},
		{"multipart", "POST", "", kind, body, pairs("ID", "a b", "CIRCLE", "1 2 3"), ""},
		{"nothing", "POST", "", "", "", nil, ""},
		{"white space between numbers", "GET", "CIRCLE=1%0A2%093", "", "", pairs("CIRCLE", "1\n2\t3"), ""},
		{"a control character in a value", "GET", "RUNID=a%00b", "", "", nil, fault.Usage},
		{"a value that is no UTF-8", "GET", "ID=%C3%28", "", "", nil, fault.Usage},
		{"a line break in a name", "GET", "A%0D%0AB=1", "", "", nil, fault.Usage},
		{"a long name", "GET", strings.Repeat("x", maxName+1) + "=1", "", "", nil, fault.Usage},
		{"as STILTS sends it", "POST", "", `multipart/form-data; boundary="` + stiltsBoundary + `"`, stilts, pairs("ID", "a b", "CIRCLE", "1 2 3"), ""},
		{"not urlencoded", "GET", "ID=%zz", "", "", nil, fault.Usage},
		{"JSON", "POST", "", "application/json", "{}", nil, fault.Usage},
		{"a body of no kind", "POST", "", "", "ID=a", nil, fault.Usage},
		{"multipart without a boundary", "POST", "", "multipart/form-data", "x", nil, fault.Usage},
		{"multipart that is none", "POST", "", kind, "nonsense", nil, fault.Usage},
		{"too long", "POST", "", urlencoded, "ID=" + strings.Repeat("x", maxForm), nil, fault.TooLarge},
		{"too many", "GET", strings.Repeat("A=1&", maxParams+1), "", "", nil, fault.TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/sync", strings.NewReader(tt.body))
			r.URL.RawQuery = tt.query
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			got, err := readForm(httptest.NewRecorder(), r)
			if tt.code != "" {
				if !errors.Is(err, tt.code) {
					t.Errorf("got %v, %v; want %s", got, err, tt.code)
				}
				return
			}
			if err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestUploadsAreRefused(t *testing.T) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if _, err := w.CreateFormFile("ID", "passwords.txt"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r := httptest.NewRequest(http.MethodPost, "/sync", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	if _, err := readForm(httptest.NewRecorder(), r); !errors.Is(err, fault.Usage) {
		t.Errorf("an uploaded file: %v, want %s", err, fault.Usage)
	}
}

// Whatever is sent, names come out in upper case, and each pair is one that net/url finds too.
func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"ID=a&circle=1+2+3", "a=%2B&&=x&b", "%zz", "ID=%C3%28;x=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		got, err := parseQuery(nil, encoded)
		if err != nil {
			return
		}
		known, knownErr := url.ParseQuery(encoded)
		for _, p := range got {
			if p.Name != strings.ToUpper(p.Name) {
				t.Errorf("%q: the name %q is not in upper case", encoded, p.Name)
			}
			found := knownErr != nil // net/url refuses semicolons, which IDs may hold
			for name, values := range known {
				for _, v := range values {
					found = found || strings.ToUpper(name) == p.Name && v == p.Value
				}
			}
			if !found {
				t.Errorf("%q: net/url knows no %v", encoded, p)
			}
		}
	})
}
