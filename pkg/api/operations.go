package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// operation is what one method of a resource does, for [server.openAPI] and [server.docs].
type operation struct {
	method, path string
	name         string // of the operation, for programs
	summary      string
	params       []soda.Parameter // of the URL; of POST in the body too
	answers      []answer
}

// answer is one way in which an operation succeeds.
type answer struct {
	status int
	kinds  []string // media types; none: no body
	what   string
}

const (
	xmlType   = "application/xml"
	plainType = "text/plain"
)

// control is a parameter that steers jobs; it takes one value unless it says otherwise.
func control(name, description, example string, options ...string) soda.Parameter {
	return soda.Parameter{Name: name, Description: description, Standard: true, Datatype: "char", Arraysize: "*", Example: example, Options: options}
}

func required(p soda.Parameter) soda.Parameter {
	p.Required = true
	return p
}

// operations is the table of all that can be asked of the resources; a path is as OpenAPI
// writes it.
func operations() []operation {
	phases := make([]string, len(uws.Phases))
	for i, p := range uws.Phases {
		phases[i] = string(p)
	}
	cut := soda.Announced()
	parts := soda.Announced() // of a job, which needs the rest of them later
	for i := range parts {
		parts[i].Required = false
	}
	run := control("PHASE", "RUN queues the job at once; else it is PENDING, and can be changed", "RUN", "RUN")
	byPhase := control("PHASE", "jobs in this phase; several are one filter", "COMPLETED", phases...)
	byPhase.Values = soda.Union
	wait := control("WAIT", "block so many seconds, at most, until the phase changes; -1: as long as the service allows", "10")
	waitPhase := control("PHASE", "block only while the job is in this phase", "QUEUED", phases...)

	xml := func(what string) []answer { return []answer{{http.StatusOK, []string{xmlType}, what}} }
	atom := func(what string) []answer { return []answer{{http.StatusOK, []string{plainType}, what}} }
	seeJob := []answer{{http.StatusSeeOther, nil, "to the job, which shows the change"}}
	cutout := []answer{
		{http.StatusSeeOther, nil, "to the cutout, under a URL that holds for some minutes"},
		{http.StatusNoContent, nil, "the region selects no pixel of the dataset"},
	}
	links := []answer{{http.StatusOK, []string{datalinkType, votableType, "text/xml", xmlType}, "a VOTable; what is wrong with one dataset stands in its row"}}
	result := []answer{{http.StatusSeeOther, nil, "to the bytes, under a URL that holds for some minutes"}}

	return []operation{
		{"GET", "/sync", "cutNow", "one cutout, now", cut, cutout},
		{"POST", "/sync", "cutNowByForm", "one cutout, now", cut, cutout},
		{"GET", "/async", "listJobs", "your jobs", []soda.Parameter{byPhase, control("AFTER", "jobs made later than this instant (UTC)", "2026-03-20T12:00:00Z"), control("LAST", "the newest so many jobs", "10")},
			append(xml("the jobs"), answer{http.StatusSeeOther, nil, "to the newest jobs, if there are too many"})},
		{"POST", "/async", "createJob", "make a job: every ID is cut by every region", append(slices.Clone(parts), run), []answer{{http.StatusSeeOther, nil, "to the job"}}},
		{"GET", "/async/{job}", "job", "a job; blocks with WAIT", []soda.Parameter{wait, waitPhase}, xml("the job")},
		{"POST", "/async/{job}", "deleteJobByForm", "delete a job", []soda.Parameter{required(control("ACTION", "DELETE is the only one", "DELETE", "DELETE"))}, []answer{{http.StatusSeeOther, nil, "to the list of jobs"}}},
		{"DELETE", "/async/{job}", "deleteJob", "delete a job and its results", nil, []answer{{http.StatusSeeOther, nil, "to the list of jobs"}}},
		{"GET", "/async/{job}/phase", "phase", "the phase of a job", nil, atom("one word")},
		{"POST", "/async/{job}/phase", "setPhase", "run or abort a job", []soda.Parameter{required(control("PHASE", "RUN or ABORT", "RUN", "RUN", "ABORT"))}, seeJob},
		{"GET", "/async/{job}/executionduration", "executionDuration", "how long a job may run", nil, atom("seconds")},
		{"POST", "/async/{job}/executionduration", "setExecutionDuration", "change how long a job may run", []soda.Parameter{required(control("EXECUTIONDURATION", "seconds; 0: as long as the service allows", "60"))}, seeJob},
		{"GET", "/async/{job}/destruction", "destruction", "when a job and its results are destroyed", nil, atom("an instant")},
		{"POST", "/async/{job}/destruction", "setDestruction", "change when a job is destroyed", []soda.Parameter{required(control("DESTRUCTION", "an instant (UTC)", "2026-03-20T12:00:00Z"))}, seeJob},
		{"GET", "/async/{job}/quote", "quote", "when a job is expected to end", nil, atom("nothing: it is not known")},
		{"GET", "/async/{job}/owner", "owner", "whose job it is", nil, atom("a name, or nothing")},
		{"GET", "/async/{job}/error", "error", "why a job failed", nil, []answer{{http.StatusOK, []string{plainType, votableType}, "the error"}}},
		{"GET", "/async/{job}/parameters", "parameters", "the parameters of a job", nil, xml("the parameters")},
		{"POST", "/async/{job}/parameters", "addParameters", "add parameters to a job that is PENDING", parts, seeJob},
		{"GET", "/async/{job}/results", "results", "the results of a job", nil, xml("the results")},
		{"GET", "/async/{job}/results/{result}", "result", "a result of a job", nil, result},
		{"GET", "/async/{job}/results/{result}/{name}", "resultByName", "a result of a job, under its file name", nil, result},
		{"GET", "/links", "links", "what there is of datasets (IVOA DataLink 1.1)", linksParameters(), links},
		{"POST", "/links", "linksByForm", "what there is of datasets (IVOA DataLink 1.1)", linksParameters(), links},
		{"GET", "/capabilities", "capabilities", "what the service can do (IVOA VOSI 1.1)", nil, xml("the capabilities")},
		{"GET", "/availability", "availability", "whether the service is up (IVOA VOSI 1.1)", nil, xml("the availability, with a note for each part")},
		{"GET", "/examples", "examples", "requests that work (IVOA DALI 1.1)", nil, []answer{{http.StatusOK, []string{"application/xhtml+xml"}, "XHTML with RDFa"}}},
		{"GET", "/openapi.json", "openAPI", "this description, for programs", nil, []answer{{http.StatusOK, []string{"application/json"}, "OpenAPI 3.1"}}},
		{"GET", "/docs", "docs", "this description, for people", nil, []answer{{http.StatusOK, []string{"text/html"}, "a page"}}},
		{"GET", "/", "root", "what is here", nil, atom("some URLs")},
	}
}

// counts reports whether a request counts for the quota of who sends it: where that is asked.
func (o operation) counts() bool {
	return o.path == "/sync" || o.path == "/links" || o.path == "/async" || strings.HasPrefix(o.path, "/async/")
}

// variables returns the names in braces of a path.
func variables(path string) (names []string) {
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// limits says in words what the numbers of a value may be, "" if there is nothing to say.
func limits(p soda.Parameter) string {
	var words []string
	for _, n := range p.Numbers {
		if n.Open {
			continue
		}
		from := strconv.FormatFloat(n.Min, 'g', -1, 64) + " to "
		if n.Positive {
			from = "more than 0, to "
		}
		words = append(words, n.Name+" "+from+strconv.FormatFloat(n.Max, 'f', -1, 64))
	}
	return strings.Join(words, "; ")
}
