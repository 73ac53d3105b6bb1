package api_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/api"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
)

// submit uploads a manifest and returns the path of its job.
func (s *service) submit(t *testing.T, name, manifest string, pairs ...string) string {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(pairs); i += 2 {
		if err := form.WriteField(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	file, err := form.CreateFormFile("MANIFEST", name)
	if err == nil {
		_, err = io.WriteString(file, manifest)
	}
	if err != nil || form.Close() != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, base+"/async", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	s.Front.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("POST /async with a manifest: %d %s", w.Code, w.Body)
	}
	return "/async/" + path.Base(w.Header().Get("Location"))
}

// ends waits until a job has ended and returns its phase.
func (s *service) ends(t *testing.T, job string) (phase string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		phase = s.ask("GET", job+"/phase", nil).Body.String()
		if phase == "COMPLETED" || phase == "ERROR" || phase == "ABORTED" {
			return phase
		}
	}
	t.Fatalf("%s is still %s after a minute", job, phase)
	return ""
}

// fetch returns the bytes of a result.
func (s *service) fetch(t *testing.T, job, result string) []byte {
	t.Helper()
	w := s.ask("GET", job+"/results/"+result, nil)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("%s: %d %s", result, w.Code, w.Body)
	}
	w = s.ask("GET", strings.TrimPrefix(w.Header().Get("Location"), base), nil)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", result, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// lines returns the manifest of results of a job.
func (s *service) lines(t *testing.T, job string) (lines []ledger.Row) {
	t.Helper()
	text := s.fetch(t, job, "manifest")
	r, err := ledger.Open(t.Context(), bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for line, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// A manifest becomes packages of cutouts, and a manifest of results that says of each row
// what became of it, and where.
func TestBatch(t *testing.T) {
	s := newService(t, "none", api.DefaultLimits)
	manifest := "ID,ra,dec,stamp,label\n"
	for i := range 300 {
		manifest += fmt.Sprintf("%s,%.4f,%.4f,16,star %d\n", dataset, 150.1163+float64(i%20-10)/2000, 2.2058+float64(i/20-7)/2000, i)
	}
	manifest += dataset + ",330,-2,16,away\n" + dataset + ",x,y,16,broken\n" + "ivo://localhost/demo?none.fits,150.1163,2.2058,16,unknown\n"
	job := s.submit(t, "objects.csv", manifest, "PHASE", "RUN")
	if phase := s.ends(t, job); phase != "COMPLETED" {
		t.Fatalf("the batch is %s: %s", phase, s.ask("GET", job+"/error", nil).Body)
	}
	packages := map[string][]byte{}
	document := s.ask("GET", job, nil).Body.String()
	if !strings.Contains(document, `<seltzer:rows of="303" done="300" empty="1" failed="2"`) {
		t.Errorf("the job's document does not count its rows:\n%s", document)
	}
	lines := s.lines(t, job)
	if len(lines) != 303 {
		t.Fatalf("the manifest of results has %d rows, want 303", len(lines))
	}
	for i, l := range lines {
		if l.Row != int64(i+1) {
			t.Fatalf("row %d comes as row %d", l.Row, i+1)
		}
		want := ledger.OK
		switch l.Label {
		case "away":
			want = ledger.Empty
		case "broken", "unknown":
			want = ledger.Failed
		}
		if l.Status != want || (l.Reason == "") != (want == ledger.OK) {
			t.Errorf("row %d: %s, %q; want %s", l.Row, l.Status, l.Reason, want)
		}
		if l.Status != ledger.OK {
			continue
		}
		if packages[l.Object] == nil {
			packages[l.Object] = s.fetch(t, job, strings.TrimSuffix(l.Object, ".zip"))
		}
		if fits := packages[l.Object][*l.Offset:][:*l.Length]; !bytes.HasPrefix(fits, []byte("SIMPLE  =")) || len(fits)%2880 != 0 {
			t.Errorf("row %d is no FITS file where the manifest says", l.Row)
		}
	}
	files := 0
	for name, text := range packages {
		z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files += len(z.File)
	}
	if files != 300 {
		t.Errorf("the packages hold %d files, want 300", files)
	}
	if list := s.ask("GET", "/async/"+path.Base(job)+"/results", nil).Body.String(); !strings.Contains(list, "manifest.vot") {
		t.Errorf("no manifest as VOTable among\n%s", list)
	}
}

// A manifest that cannot be read ends its job with a sentence.
func TestBatchOfWhatIsNoManifest(t *testing.T) {
	s := newService(t, "none", api.DefaultLimits)
	job := s.submit(t, "objects.csv", "name,colour\nm13,red\n", "PHASE", "RUN")
	if phase := s.ends(t, job); phase != "ERROR" {
		t.Errorf("the batch is %s, want ERROR", phase)
	}
	checkError(t, s.ask("GET", job+"/error", nil), "the error", 200, "UsageError: the manifest has no column that says where: …")
}
