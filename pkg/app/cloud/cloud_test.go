package cloud

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sethvargo/go-envconfig"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// deployed holds what a deployment sets.
var deployed = map[string]string{
	"SELTZER_PROJECT": "p", "SELTZER_TOPIC_INTERACTIVE": "i", "SELTZER_TOPIC_BULK": "b", "SELTZER_ARCHIVES": "dr1=gs://bucket/dr1,dr2=gs://bucket/dr2",
	"SELTZER_AUTHORITY": "example.org", "SELTZER_PUBLIC_URL": "https://soda.example.org", "SELTZER_SIGNER_URL": "https://signer.example.org",
	"SELTZER_RESULTS_BUCKET": "results", "SELTZER_PUSH_ACCOUNT": "push@example.org", "SELTZER_SWEEP_ACCOUNT": "sweep@example.org",
	"SELTZER_SIGNING_ACCOUNT": "signer@example.org", "SELTZER_SODA_ACCOUNT": "soda@example.org", "SELTZER_AUDIENCE": "https://cutout.example.org",
}

// tags yields the name, default and needs of each setting.
func tags() (all [][3]string) {
	for field := range reflect.TypeFor[Settings]().Fields() {
		name, rest, _ := strings.Cut(field.Tag.Get("env"), ", default=")
		all = append(all, [3]string{name, rest, strings.ReplaceAll(field.Tag.Get("needs"), ",", " ")})
	}
	return all
}

// A function that lacks variables names each of them, and no other.
func TestMissingVariables(t *testing.T) {
	for _, function := range []string{Soda, Cutout, Signer} {
		_, err := FromEnvironment(t.Context(), function, envconfig.MapLookuper(nil))
		if !errors.Is(err, fault.Usage) {
			t.Fatalf("%s without variables: %v, want %s", function, err, fault.Usage)
		}
		for _, tag := range tags() {
			needed := slices.Contains(strings.Fields(tag[2]), function)
			if strings.Contains(err.Error(), tag[0]+" is not set") != needed {
				t.Errorf("%s: needs %s is %t, and its error says:\n%v", function, tag[0], needed, err)
			}
		}
		if _, err := FromEnvironment(t.Context(), function, envconfig.MapLookuper(deployed)); err != nil {
			t.Errorf("%s with all variables: %v", function, err)
		}
	}
}

func TestWrongVariables(t *testing.T) {
	t.Setenv("FIRESTORE_EMULATOR_HOST", "")
	for name, tt := range map[string]struct {
		set  map[string]string
		want string // in the error; "" for none
	}{
		"header without a proxy":        {map[string]string{"SELTZER_AUTH": "header"}, "SELTZER_PROXY_ACCOUNT"},
		"header with one":               {map[string]string{"SELTZER_AUTH": "header", "SELTZER_PROXY_ACCOUNT": "proxy@example.org"}, ""},
		"a mode of one machine":         {map[string]string{"SELTZER_AUTH": "local"}, "SELTZER_AUTH=local"},
		"insecure, in the cloud":        {map[string]string{"SELTZER_INSECURE": "true"}, "SELTZER_INSECURE"},
		"another issuer, in the cloud":  {map[string]string{"SELTZER_TOKEN_ISSUER": "https://issuer.example.org"}, "SELTZER_TOKEN_ISSUER"},
		"a key, in the cloud":           {map[string]string{"SELTZER_SIGNING_KEY": "key.pem"}, "SELTZER_SIGNING_KEY"},
		"an authority with a path":      {map[string]string{"SELTZER_AUTHORITY": "example.org/dr1"}, "SELTZER_AUTHORITY"},
		"no connections":                {map[string]string{"SELTZER_WATCH_CONNECTIONS": "0"}, "SELTZER_WATCH_CONNECTIONS"},
		"a quota below nothing":         {map[string]string{"SELTZER_QUOTA_ROWS": "-1"}, "SELTZER_QUOTA_ROWS"},
		"fewer hops than none":          {map[string]string{"SELTZER_FORWARDED_HOPS": "-1"}, "SELTZER_FORWARDED_HOPS"},
		"a time that is none":           {map[string]string{"SELTZER_MAX_EXECUTION": "long"}, "SELTZER_MAX_EXECUTION"},
		"a time that is not before now": {map[string]string{"SELTZER_SYNC_WAIT": "-1s"}, "SELTZER_SYNC_WAIT"},
	} {
		all := maps.Clone(deployed)
		maps.Copy(all, tt.set)
		_, err := FromEnvironment(t.Context(), Soda, envconfig.MapLookuper(all))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want it to name %q", name, err, tt.want)
		}
	}
	for host, allowed := range map[string]bool{"127.0.0.1:8080": true, "localhost:8080": true, "[::1]:8080": true, "10.0.0.1:8080": false, "firestore.googleapis.com:443": false, "": false} {
		t.Setenv("FIRESTORE_EMULATOR_HOST", host)
		all := maps.Clone(deployed)
		all["SELTZER_INSECURE"] = "true"
		if _, err := FromEnvironment(t.Context(), Cutout, envconfig.MapLookuper(all)); (err == nil) != allowed {
			t.Errorf("insecure with an emulator at %q: %v", host, err)
		}
	}
}

// The table in doc.go is that of the settings.
func TestDocumentedVariables(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(doc)) {
		if row, ok := strings.CutPrefix(line, "//\tSELTZER_"); ok {
			name, rest, _ := strings.Cut("SELTZER_"+row, " ")
			rows[name] = strings.Join(strings.Fields(rest), " ")
		}
	}
	for _, tag := range tags() {
		row, ok := rows[tag[0]]
		if !ok {
			t.Errorf("doc.go does not name %s", tag[0])
		}
		_, rest, _ := strings.Cut(row, " ") // after the type
		if want := strings.TrimSpace(tag[1] + " " + tag[2]); !strings.HasPrefix(rest, want) {
			t.Errorf("doc.go says of %s %q, want it to begin with %q after the type", tag[0], row, want)
		}
		delete(rows, tag[0])
	}
	if len(rows) > 0 {
		t.Errorf("doc.go names variables that are none: %v", slices.Collect(maps.Keys(rows)))
	}
}

// What could not be set up for the moment is tried again; what lacks settings says so.
func TestFunctionSetsItselfUp(t *testing.T) {
	for name, value := range deployed {
		t.Setenv(name, value)
	}
	t.Setenv("FUNCTION_TARGET", Soda)
	tries, closed := 0, 0
	f, err := New(Soda, func(_ context.Context, p *Parts) (http.Handler, error) {
		p.Keep(func() error { closed++; return nil })
		if tries++; tries < 3 {
			return nil, errors.New("no credentials yet")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(f *Function) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w
	}
	for i, want := range []int{503, 503, http.StatusTeapot, http.StatusTeapot} {
		if w := ask(f); w.Code != want {
			t.Errorf("request %d: status %d, want %d", i+1, w.Code, want)
		}
	}
	if tries != 3 || closed != 2 {
		t.Errorf("%d tries, %d sets of parts closed; want 3 and 2", tries, closed)
	}
	t.Setenv("SELTZER_SIGNER_URL", "")
	if _, err := New(Soda, nil); err == nil || !strings.Contains(err.Error(), "SELTZER_SIGNER_URL") {
		t.Errorf("the process of a function that lacks a variable: %v, want it named", err)
	}
	t.Setenv("FUNCTION_TARGET", Cutout)
	if f, err = New(Soda, nil); err != nil {
		t.Fatalf("the process of another function: %v", err)
	}
	if w := ask(f); w.Code != 503 || !strings.Contains(w.Body.String(), "SELTZER_SIGNER_URL") {
		t.Errorf("status %d, %q; want 503 and what is missing", w.Code, w.Body)
	}
}
