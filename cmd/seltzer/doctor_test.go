package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/doctor"
)

// seltzer doctor passes a sound service, and fails with the sentence of what to mend.
func TestDoctor(t *testing.T) {
	s := demoServer(t)
	examine := func(args ...string) (status int, stdout, stderr string) {
		var out, err bytes.Buffer
		status = run(append([]string{"doctor"}, args...), &streams{strings.NewReader(""), &out, &err})
		return status, out.String(), err.String()
	}
	if status, out, _ := examine(s.URL); status != 0 || !strings.Contains(out, "9 ok, 0 failed, 0 not seen") {
		t.Errorf("status %d\n%s", status, out)
	}
	status, out, _ := examine("--json", s.URL)
	var findings []doctor.Finding
	if err := json.Unmarshal([]byte(out), &findings); err != nil || status != 0 || len(findings) != 9 || findings[0].Outcome != doctor.OK {
		t.Errorf("status %d, %v\n%s", status, err, out)
	}
	if status, out, stderr := examine("http://127.0.0.1:1"); status != exitFailed || !strings.Contains(out, "\nservice answers: ") || !strings.Contains(out, "mend: see whether the address is right") || !strings.Contains(stderr, "1 of 9 checks failed") {
		t.Errorf("of no service: status %d\n%s%s", status, out, stderr)
	}
	if status, out, _ := examine("--header=X-One: 1\nX-Two: 2\n", s.URL); status != 0 {
		t.Errorf("with two headers, one a line: status %d\n%s", status, out)
	}
	for _, args := range [][]string{{}, {"--project=p"}, {"--skip=all", s.URL}, {"--header=token", s.URL}, {"--header=X-One: 1\ntoken", s.URL}} {
		if status, _, stderr := examine(args...); status != exitUsage || stderr == "" {
			t.Errorf("%q: status %d, %q; want %d and a sentence", args, status, stderr, exitUsage)
		}
	}
}

// What nobody saw stands in the last line.
func TestHidden(t *testing.T) {
	findings := []doctor.Finding{
		{Group: "functions", Name: "one version", Outcome: doctor.OK},
		{Group: "rights", Name: "soda may read jobs", Outcome: doctor.OK, Untried: true},
		{Group: "queues", Name: "sweep", Outcome: doctor.Unseen},
		{Group: "database", Name: "database", Outcome: doctor.Unseen},
		{Group: "database", Name: "time to live of jobs", Outcome: doctor.Unseen},
		{Group: "database", Name: "time to live of results", Outcome: doctor.Unseen},
	}
	var out bytes.Buffer
	printFindings(&streams{strings.NewReader(""), &out, &out}, findings)
	const want = "\n2 ok, 0 failed, 4 not seen (sweep; database; time to live of jobs; 1 more of database); of the rights 1 are granted and were not tried\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("the end is not %q:\n%s", want, out.String())
	}
}
