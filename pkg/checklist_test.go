package pkg

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

var (
	item     = regexp.MustCompile(`(?m)^- \*\*([A-Z]+-\d\d)\*\*`) // of the checklist
	mention  = regexp.MustCompile(`\b(SODA|UWS|DALI|VOSI|DL|SEC)-(\d\d)(?: to (?:SODA|UWS|DALI|VOSI|DL|SEC)-(\d\d))?\b`)
	notShown = regexp.MustCompile(`(?m)^([A-Z]+-\d\d) \S.*$`)
)

// Every item of the checklist of the standards' requirements is named by a test, or by a
// line of testdata/not_shown.txt that says why not. With -v the table of both is printed.
func TestChecklist(t *testing.T) {
	list, err := os.ReadFile(filepath.Join(outside.Standards(t), "CONFORMANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	exempt, err := os.ReadFile("testdata/not_shown.txt")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]map[string]bool) // by item: names of tests
	for _, root := range []string{".", "../cmd", "../functions"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || name == "checklist_test.go" {
				return err
			}
			return collectMentions(name, shown)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	why := make(map[string]string)
	for _, m := range notShown.FindAllStringSubmatch(string(exempt), -1) {
		why[m[1]] = strings.TrimSpace(strings.TrimPrefix(m[0], m[1]))
	}
	items := item.FindAllStringSubmatch(string(list), -1)
	if len(items) < 150 {
		t.Fatalf("the checklist has %d items; want all of them", len(items))
	}
	for _, m := range items {
		tests, reason := slices.Sorted(maps.Keys(shown[m[1]])), why[m[1]]
		delete(why, m[1])
		switch {
		case len(tests) > 0:
			t.Logf("%s: %s", m[1], strings.Join(tests, ", "))
		case reason != "":
			t.Logf("%s: not shown: %s", m[1], reason)
		default:
			t.Errorf("no test names %s, and testdata/not_shown.txt does not say why", m[1])
		}
	}
	for id := range why {
		t.Errorf("testdata/not_shown.txt has a line for %s, which is not on the checklist", id)
	}
}

// collectMentions adds what a file of tests names: by function in Go, by file elsewhere.
func collectMentions(name string, shown map[string]map[string]bool) error {
	add := func(test, text string) {
		for _, m := range mention.FindAllStringSubmatch(text, -1) {
			for _, id := range span(m[1], m[2], m[3]) {
				if shown[id] == nil {
					shown[id] = make(map[string]bool)
				}
				shown[id][test] = true
			}
		}
	}
	dir := filepath.ToSlash(filepath.Clean(filepath.Join("pkg", filepath.Dir(name))))
	suite := strings.HasSuffix(filepath.Dir(name), "test") // a contract suite
	switch {
	case filepath.Ext(name) == ".py":
		content, err := os.ReadFile(name)
		add(dir+"/"+filepath.Base(name), string(content))
		return err
	case !strings.HasSuffix(name, "_test.go") && (!suite || filepath.Ext(name) != ".go"):
		return nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, content, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		begin := f.Pos()
		if f.Doc != nil {
			begin = f.Doc.Pos()
		}
		add(dir+" "+f.Name.Name, string(content[fset.Position(begin).Offset:fset.Position(f.End()).Offset]))
	}
	return nil
}

// span returns the ids from one to another of a chapter; last is "" for one alone.
func span(chapter, first, last string) (ids []string) {
	a, _ := strconv.Atoi(first) // two digits: mention says so
	b, err := strconv.Atoi(last)
	if err != nil {
		b = a
	}
	for n := a; n <= b; n++ {
		ids = append(ids, fmt.Sprintf("%s-%02d", chapter, n))
	}
	return ids
}
