package pkg

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecurity prints what was tried against the service, what came of it and which test
// tries it, as testdata/tries.txt lists them; it fails if a test is not there.
func TestSecurity(t *testing.T) {
	table, err := os.ReadFile("testdata/tries.txt")
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	for line := range strings.Lines(string(table)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			t.Errorf("%q is not TRY | OUTCOME | FOLDER TEST", line)
			continue
		}
		folder, test, _ := strings.Cut(cells[2], " ")
		if !hasTest(t, filepath.Join("..", filepath.FromSlash(folder)), test) {
			t.Errorf("%s: there is no test %s in %s", cells[0], test, folder)
		}
		tries++
		t.Logf("%s → %s (%s, %s)", cells[0], cells[1], folder, test)
	}
	if tries < 30 {
		t.Errorf("%d tries, want all of them", tries)
	}
}

// hasTest reports whether a folder's tests have a function of that name.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == name {
				return true
			}
		}
	}
	return false
}
