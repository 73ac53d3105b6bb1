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
	for _, args := range [][]string{{}, {"--project=p"}, {"--skip=all", s.URL}, {"--header=token", s.URL}} {
		if status, _, stderr := examine(args...); status != exitUsage || stderr == "" {
			t.Errorf("%q: status %d, %q; want %d and a sentence", args, status, stderr, exitUsage)
		}
	}
}
