package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The operator's listing says the same of a server that runs and of one that was killed.
func TestUsage(t *testing.T) {
	s := demoServer(t)
	post(t, s.URL+"/async", "ID", demoID, "CIRCLE", inside, "CIRCLE", inside)
	if _, phase := s.asyncCut(t, "ID", demoID, "CIRCLE", inside); phase != "COMPLETED" {
		t.Fatal(phase)
	}
	want := regexp.MustCompile(`^OWNER +JOBS +CUTOUTS +BYTES IN 24 H\n"local" +1 +2 +[1-9][0-9]+\n$`)
	for _, when := range []string{"while it runs", "when it was killed"} {
		var out, errors strings.Builder
		status := run([]string{"usage", "--data", s.Data}, &streams{nil, &out, &errors})
		if status != 0 || !want.MatchString(out.String()) {
			t.Errorf("%s: exit %d\n%s%s\nwant %s", when, status, &out, &errors, want)
		}
		s.kill()
	}
	var out, errors strings.Builder
	if status := run([]string{"usage", "--data", filepath.Join(t.TempDir(), "none")}, &streams{nil, &out, &errors}); status == 0 || !strings.Contains(errors.String(), "there is no data file") {
		t.Errorf("a folder without data: exit %d\n%s", status, &errors)
	}
}
