package api

import (
	"regexp"
	"slices"
	"testing"
)

// Every resource is described, and nothing else.
func TestOperationsAreThoseOfTheResources(t *testing.T) {
	braces := regexp.MustCompile(`\{[^}]*\}`)
	var served, told []string
	for path, methods := range (&server{}).resources() {
		if path == "/async/{$}" { // the same as /async
			continue
		}
		if path == "/{$}" {
			path = "/"
		}
		for method := range methods {
			served = append(served, method+" "+braces.ReplaceAllString(path, "{}"))
		}
	}
	for _, o := range operations() {
		told = append(told, o.method+" "+braces.ReplaceAllString(o.path, "{}"))
	}
	slices.Sort(served)
	slices.Sort(told)
	if !slices.Equal(served, told) {
		t.Errorf("served\n%q\ntold\n%q", served, told)
	}
}
