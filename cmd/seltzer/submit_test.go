package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/seltzer-soda/seltzer/pkg/batch"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
)

// brokenRows are the ten kinds, each with what the manifest of results says of it.
var brokenRows = []struct {
	row  catalogueRow
	want string
}{
	{catalogueRow{demoID, "ten", "2.2", "0.001", "", "bad", ""}, "ra is"},
	{catalogueRow{demoID, "150.1", "NaN", "0.001", "", "bad", ""}, "dec is"},
	{catalogueRow{demoID, "150.1", "91", "0.001", "", "bad", ""}, "91"},
	{catalogueRow{demoID, "150.1", "2.2", "-1", "", "bad", ""}, "radius is -1"},
	{catalogueRow{demoID, "150.1", "2.2", "0", "", "bad", ""}, "radius is 0"},
	{catalogueRow{demoID, "", "", "0.001", "", "bad", ""}, "no position"},
	{catalogueRow{demoID, "150.1", "2.2", "0.001", "CIRCLE 150.1 2.2 0.001", "bad", ""}, "want one of them"},
	{catalogueRow{demoID, "", "", "", "SQUARE 1 2 3", "bad", ""}, "POS begins with"},
	{catalogueRow{strings.Repeat("x", 1001), "150.1", "2.2", "0.001", "", "bad", ""}, "ID has 1001 bytes"},
	{catalogueRow{demoID, "150.1", "2.2", "0.001", "", "bad", "black"}, "MASK is"},
}

// catalogueRow is a row of texts, which every format has.
type catalogueRow struct {
	ID     string `json:"ID" parquet:"ID"`
	RA     string `json:"ra" parquet:"ra"`
	Dec    string `json:"dec" parquet:"dec"`
	Radius string `json:"radius" parquet:"radius"`
	POS    string `json:"POS" parquet:"POS"`
	Label  string `json:"label" parquet:"label"`
	MASK   string `json:"MASK" parquet:"MASK"`
}

func (r catalogueRow) cells() []string {
	return []string{r.ID, r.RA, r.Dec, r.Radius, r.POS, r.Label, r.MASK}
}

var catalogueNames = []string{"ID", "ra", "dec", "radius", "POS", "label", "MASK"}

// catalogues write rows in every format of manifests.
var catalogues = map[string]func(w io.Writer, rows []catalogueRow) error{
	"rows.csv": func(w io.Writer, rows []catalogueRow) error { return separated(w, rows, ',') },
	"rows.ecsv": func(w io.Writer, rows []catalogueRow) error {
		fmt.Fprintf(w, "# %%ECSV 1.0\n# ---\n# datatype:\n")
		for _, n := range catalogueNames {
			fmt.Fprintf(w, "# - {name: %s, datatype: string}\n", n)
		}
		fmt.Fprint(w, "# schema: astropy-2.0\n")
		return separated(w, rows, ' ')
	},
	"rows.json": func(w io.Writer, rows []catalogueRow) error { return json.NewEncoder(w).Encode(rows) },
	"rows.jsonl": func(w io.Writer, rows []catalogueRow) error {
		for _, r := range rows {
			if err := json.NewEncoder(w).Encode(r); err != nil {
				return err
			}
		}
		return nil
	},
	"rows.vot": func(w io.Writer, rows []catalogueRow) error {
		fmt.Fprint(w, `<VOTABLE version="1.4"><RESOURCE><TABLE>`)
		for _, n := range catalogueNames {
			fmt.Fprintf(w, `<FIELD name="%s" datatype="unicodeChar" arraysize="*"/>`, n)
		}
		fmt.Fprint(w, "<DATA><TABLEDATA>")
		for _, r := range rows {
			fmt.Fprintf(w, "<TR><TD>%s</TD></TR>\n", strings.Join(r.cells(), "</TD><TD>"))
		}
		_, err := fmt.Fprint(w, "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
		return err
	},
	"rows.parquet": func(w io.Writer, rows []catalogueRow) error {
		p := parquet.NewGenericWriter[catalogueRow](w)
		if _, err := p.Write(rows); err != nil {
			return err
		}
		return p.Close()
	},
}

func separated(w io.Writer, rows []catalogueRow, comma rune) error {
	out := csv.NewWriter(w)
	out.Comma = comma
	all := [][]string{catalogueNames}
	for _, r := range rows {
		all = append(all, r.cells())
	}
	return out.WriteAll(all)
}

// TestBrokenRows: of a thousand rows one in a hundred is broken, each in a way of its own; each
// is told by its number and its reason, and the others are cut.
func TestBrokenRows(t *testing.T) {
	const n = 1000
	s := demoServer(t)
	rows := make([]catalogueRow, n)
	for i := range rows {
		rows[i] = catalogueRow{demoID, fmt.Sprint(150.11 + 0.00001*float64(i)), "2.2", "0.0002", "", fmt.Sprint("star ", i), ""}
		if i%100 == 42 {
			rows[i] = brokenRows[i/100].row
		}
	}
	for _, name := range slices.Sorted(maps.Keys(catalogues)) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name)
			var b bytes.Buffer
			if err := catalogues[name](&b, rows); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, said bytes.Buffer
			if status := run([]string{"submit", file, "--url", s.URL, "--watch", "-o", "DETAIL=image"}, &streams{nil, &out, &said}); status != 0 {
				t.Fatalf("status %d: %s", status, &said)
			}
			if want := fmt.Sprintf("COMPLETED: %d cut, 0 empty, 10 failed of %d", n-10, n); !strings.Contains(said.String(), want) {
				t.Errorf("%s; want %s", &said, want)
			}
			seen := 0
			for _, r := range results(t, out.String()) {
				if seen++; r.Row != int64(seen) {
					t.Fatalf("row %d comes behind row %d", r.Row, seen-1)
				}
				i := seen - 1
				switch {
				case i%100 == 42 && (r.Status != ledger.Failed || !strings.Contains(r.Reason, brokenRows[i/100].want) || r.Label != "bad"):
					t.Errorf("row %d is %q, %s: %s; want it failed with %q", seen, r.Label, r.Status, r.Reason, brokenRows[i/100].want)
				case i%100 != 42 && (r.Status != ledger.OK || r.Length == nil || *r.Length == 0):
					t.Errorf("row %d is %s: %s", seen, r.Status, r.Reason)
				}
			}
			if seen != n {
				t.Errorf("%d rows in the manifest of results, want %d", seen, n)
			}
		})
	}
}

// results reads the manifest of results of a job that seltzer submit has printed.
func results(t *testing.T, printed string) (rows []ledger.Row) {
	t.Helper()
	for line := range strings.Lines(printed) {
		if id, href, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && id == "manifest" {
			answer := send(t, http.DefaultClient, request(t, http.MethodGet, href, nil))
			r, err := ledger.Open(t.Context(), strings.NewReader(answer.Body), int64(len(answer.Body)))
			if err != nil {
				t.Fatalf("%s: %v", answer.Status, err)
			}
			for row, err := range r.Rows() {
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row)
			}
			return rows
		}
	}
	t.Fatalf("no manifest of results in %q", printed)
	return nil
}

func TestSubmitTwiceIsOneJob(t *testing.T) {
	s := demoServer(t)
	file := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(file, []byte("ID,ra,dec\n"+demoID+",150.1163,2.2058\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) string {
		var out, said bytes.Buffer
		if status := run(append([]string{"submit", file, "--url", s.URL}, args...), &streams{nil, &out, &said}); status != 0 {
			t.Fatalf("%v: status %d: %s", args, status, &said)
		}
		job, _, _ := strings.Cut(out.String(), "\n")
		return job
	}
	first := ask("-o", "STAMP=8")
	if again := ask("-o", "STAMP=8", "--watch"); again != first {
		t.Errorf("the same command makes %s, then %s", first, again)
	}
	if other := ask("-o", "STAMP=9"); other == first {
		t.Errorf("another stamp is the same job %s", other)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"submit", file, "--url", s.URL, "-o", "STAMP"}, "NAME=VALUE"},
		{[]string{"submit", file, "--url", s.URL, "-o", "CIRCLE=1 2 3"}, "CIRCLE cannot be said for all rows"},
		{[]string{"submit", file + ".none", "--url", s.URL}, "cannot read the manifest"},
		{[]string{"submit", file, "--url", "http://127.0.0.1:1"}, "cannot be reached"},
		{[]string{"submit", file, "--topic", "projects/p/topics/t"}, "no JSON array"},
	} {
		var said bytes.Buffer
		if status := run(tt.args, &streams{nil, io.Discard, &said}); status == 0 || !strings.Contains(said.String(), tt.want) {
			t.Errorf("%v: status %d: %s; want %q", tt.args, status, &said, tt.want)
		}
	}
}

// TestSubmitToTopic holds the message to what the topic of batches takes.
func TestSubmitToTopic(t *testing.T) {
	var got []byte
	pubsub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Messages []struct{ Data []byte }
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/projects/p/topics/batch:publish" || len(body.Messages) != 1 {
			t.Errorf("%s %v", r.URL, err)
			return
		}
		got = body.Messages[0].Data
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"messageIds": ["17"]}`)
	}))
	defer pubsub.Close()
	t.Setenv("PUBSUB_EMULATOR_HOST", strings.TrimPrefix(pubsub.URL, "http://"))
	var out, said bytes.Buffer
	if status := run([]string{"submit", "owners/ada/kept/objects.parquet", "--topic", "projects/p/topics/batch", "-o", "STAMP=64", "--request", "tonight"}, &streams{nil, &out, &said}); status != 0 {
		t.Fatalf("status %d: %s", status, &said)
	}
	if want := `{"manifest":"owners/ada/kept/objects.parquet","options":{"PACKAGE":"zip","STAMP":"64"},"requestId":"tonight"}`; string(got) != want {
		t.Errorf("the message is %s, want %s", got, want)
	}
	if want := "http://127.0.0.1:8080/async/" + batch.RequestedID("tonight"); strings.TrimSpace(out.String()) != want || !strings.Contains(said.String(), "message 17, request tonight") {
		t.Errorf("%s%s; want %s", &out, &said, want)
	}
}
