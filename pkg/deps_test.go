package pkg

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/seltzer-soda/seltzer/"

// levels is the map of doc.go from the bottom up. A package may import packages of lower
// levels only; where two of one level may meet, sideways says so.
var levels = [][]string{
	{"pkg/sky", "pkg/fault", "pkg/outside"},
	{"pkg/uws", "pkg/stencil", "pkg/pixel", "pkg/fits/tile", "pkg/votable", "pkg/telemetry"},
	{"pkg/fits", "pkg/wcs"},
	{"pkg/soda", "pkg/indexes"},
	{"pkg/cutout", "pkg/manifest", "pkg/ledger", "pkg/pack"},
	{"pkg/sqlitedb", "pkg/firestoredb", "pkg/firestoredb/firestoredbtest", "pkg/footprint"},
	{"pkg/jobstore", "pkg/queue", "pkg/signing", "pkg/objects", "pkg/archive"},
	{"pkg/holdings"},
	{"pkg/jobstore/sqlitejobs", "pkg/queue/sqlitequeue", "pkg/signing/hmacsigning",
		"pkg/jobstore/firestorejobs", "pkg/queue/pubsubqueue", "pkg/signing/gcssigning", "pkg/objects/drivers", "pkg/objects/gcstest",
		"pkg/holdings/sqliteholdings", "pkg/holdings/firestoreholdings", "pkg/holdings/holdingstest",
		"pkg/jobstore/jobstoretest", "pkg/queue/queuetest", "pkg/signing/signingtest", "pkg/objects/objectstest", "pkg/archive/archivetest"},
	{"pkg/auth/tokens", "pkg/auth/tokens/tokenstest"},
	{"pkg/telemetry/observed", "pkg/telemetry/tracefile"},
	{"pkg/auth", "pkg/quota", "pkg/breaker", "pkg/faulty"},
	{"pkg/auth/accounts"},
	{"pkg/demo"},
	{"pkg/batch"},
	{"pkg/api", "pkg/worker", "pkg/signer"},
	{"pkg/app/settings", "pkg/app/archives"},
	{"pkg/app/local", "pkg/app/cloud"},
	{"pkg/doctor"},
	{"functions/register"},
	{"functions/soda", "functions/cutout", "functions/signer"},
	{"functions", "functions/emulated"},
	{"terraform", "cmd/seltzer", "scripts/bench/engine", "scripts/bench/batch", "scripts/bench/store", "scripts/cloud", "scripts/zips"},
}

// sideways lists the arrows between packages of one level.
var sideways = map[string]string{"pkg/archive": "pkg/objects"}

// only says which packages of ours may import the modules that begin with a prefix.
var only = map[string][]string{
	"modernc.org/sqlite":          {"pkg/sqlitedb"},
	"database/sql":                {"pkg/sqlitedb", "pkg/jobstore/sqlitejobs", "pkg/queue/sqlitequeue", "pkg/holdings/sqliteholdings"},
	"gocloud.dev/":                {"pkg/objects", "pkg/objects/drivers"},
	"cloud.google.com/":           {"pkg/firestoredb", "pkg/firestoredb/firestoredbtest", "pkg/jobstore/firestorejobs", "pkg/holdings/firestoreholdings", "pkg/queue/pubsubqueue", "pkg/signing/gcssigning", "pkg/objects/drivers", "functions/emulated"},
	"github.com/coreos/":          {"pkg/auth/tokens", "pkg/auth", "pkg/auth/accounts"},
	"github.com/fsouza/":          {"pkg/objects/gcstest"},
	"github.com/golang/geo/":      {"pkg/faulty", "pkg/holdings", "pkg/holdings/sqliteholdings", "pkg/holdings/firestoreholdings", "pkg/holdings/holdingstest"},
	"github.com/parquet-go/":      {"pkg/manifest", "pkg/ledger"},
	"github.com/sony/gobreaker/":  {"pkg/breaker"},
	"github.com/prometheus/":      {"pkg/app/local"},
	"go.opentelemetry.io/":        {"pkg/telemetry", "pkg/telemetry/tracefile", "pkg/app/local", "pkg/app/cloud"},
	"codeberg.org/astrogo/fitsio": {}, // tests and tools alone
	"github.com/GoogleCloudPlatform/functions-framework-go/": {"functions", "functions/register"},
}

// embedded is what belongs to one machine, or to tests.
var embedded = []string{"modernc.org/sqlite", "github.com/fsouza/fake-gcs-server/fakestorage", "github.com/prometheus/client_golang/prometheus"}

// lean lists what must not be linked into a package, directly or through others.
var lean = map[string][]string{
	"pkg/signer":       {"modernc.org/sqlite", module + "pkg/fits", module + "pkg/wcs"},
	"functions/soda":   embedded,
	"functions/cutout": embedded,
	"functions/signer": append(embedded, module+"pkg/fits", module+"pkg/wcs", "gocloud.dev/blob/s3blob"),
	"pkg/api":          {"modernc.org/sqlite"},
	"pkg/worker":       {"modernc.org/sqlite"},
	"pkg/fits":         {"net/http"},
	"pkg/wcs":          {"net/http"},
	"pkg/cutout":       {"net/http"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func listPackages(t *testing.T) (packages []listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func levelOf(pkg string) int {
	return slices.IndexFunc(levels, func(level []string) bool { return slices.Contains(level, pkg) })
}

func TestArrowsPointDown(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 20 {
		t.Fatalf("go list found %d packages; want the whole module", len(packages))
	}
	for _, p := range packages {
		from, _ := strings.CutPrefix(p.ImportPath, module)
		if from == "pkg" {
			continue
		}
		level := levelOf(from)
		if level < 0 {
			t.Errorf("%s is not on the map: name it in levels, and in pkg/doc.go", from)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && levelOf(to) >= level && sideways[from] != to {
				t.Errorf("%s imports %s, which is not below it", from, to)
			}
			for prefix, allowed := range only {
				if strings.HasPrefix(imported, prefix) && !slices.Contains(allowed, from) {
					t.Errorf("%s imports %s; only %v may", from, imported, allowed)
				}
			}
		}
		for _, forbidden := range lean[from] {
			if slices.Contains(p.Deps, forbidden) {
				t.Errorf("%s links %s", from, forbidden)
			}
		}
	}
	for _, level := range levels {
		for _, pkg := range level {
			if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == module+pkg }) {
				t.Errorf("%s is on the map but does not exist", pkg)
			}
		}
	}
}
