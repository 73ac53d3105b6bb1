package uws

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 20, 12, 0, 0, 250e6, time.FixedZone("CET", 3600))

// sample is a job with a value in every field that a document shows.
func sample() *Job {
	return &Job{
		ID: "j1", Owner: "alice", RunID: "night 42", Phase: Error, Created: noon, Started: noon.Add(time.Second), Ended: noon.Add(2 * time.Second),
		ExecutionDuration: 10 * time.Minute, Destruction: noon.Add(24 * time.Hour),
		Params:  []Param{{"ID", "ivo://localhost/a?x&y<z>\x01"}, {"CIRCLE", "1 2 3"}},
		Results: []Result{{ID: "result", Size: 2880, MIME: "application/fits"}},
		Failure: &Failure{Transient: true}, Progress: Progress{1, 2, 3, 4},
	}
}

func TestWriteJobHoldsTheLiteralsThatClientsLookFor(t *testing.T) {
	var b strings.Builder
	if err := WriteJob(&b, sample(), "https://soda.example.org/async", "ServiceUnavailable: the archive is down", []string{"FOO<"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"`, `version="1.1"`,
		`<uws:creationTime>2026-03-20T11:00:00.250Z</uws:creationTime>`,
		`<uws:quote xsi:nil="true"></uws:quote>`, `<uws:executionDuration>600</uws:executionDuration>`,
		`<uws:parameter id="ID">ivo://localhost/a?x&amp;y&lt;z&gt;` + "\uFFFD" + `</uws:parameter>`,
		`<uws:result id="result" xlink:type="simple" xlink:href="https://soda.example.org/async/j1/results/result" size="2880" mime-type="application/fits">`,
		`<uws:errorSummary type="transient" hasDetail="true">`, `<uws:message>ServiceUnavailable: the archive is down</uws:message>`,
		`<seltzer:progress done="1" total="2" results="3" of="4">`, `<seltzer:ignored>FOO&lt;</seltzer:ignored>`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the job document lacks %s:\n%s", want, &b)
		}
	}
}

func TestResultsArePresentWhenEmpty(t *testing.T) {
	var b strings.Builder
	if err := WriteJob(&b, &Job{ID: "j2", Phase: Pending, Created: noon}, "https://x/async", "", nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<uws:results></uws:results>", `<uws:ownerId xsi:nil="true">`, `<uws:startTime xsi:nil="true">`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the job document lacks %s:\n%s", want, &b)
		}
	}
	for _, absent := range []string{"errorSummary", "runId", "jobInfo"} {
		if strings.Contains(b.String(), absent) {
			t.Errorf("the job document holds %s, which the job has not:\n%s", absent, &b)
		}
	}
}

// The URLs of several results end in their file names; that of the only one does not, since
// clients look for results/result.
func TestResultsOfSeveralEndInTheirNames(t *testing.T) {
	var b strings.Builder
	j := &Job{ID: "j3", Results: []Result{{ID: "cutout-0001", Name: "m 31-0001.fits"}, {ID: "cutout-0002", Name: "no_overlap-0002.txt"}}}
	if err := WriteResults(&b, j, "https://x/async"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"https://x/async/j3/results/cutout-0001/m%2031-0001.fits"`, `"https://x/async/j3/results/cutout-0002/no_overlap-0002.txt"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the results lack %s:\n%s", want, &b)
		}
	}
}
