package uws

import (
	"encoding/xml"
	"io"
	"net/url"
	"strconv"
	"time"
)

// Clients read UWS documents without knowing namespaces: they look for the literal names
// uws:job and xlink:href. So the prefixes stand in the tags below, and each root declares
// them itself.

// Instant is the form of every instant in UWS: ISO 8601, UTC, with Z (UWS 1.1, section 2.2.3.3).
const Instant = "2006-01-02T15:04:05.000Z"

// FormatInstant writes t in the form of UWS, or "" if it is not known.
func FormatInstant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(Instant)
}

type namespaces struct {
	UWS   string `xml:"xmlns:uws,attr"`
	XLink string `xml:"xmlns:xlink,attr"`
	XSI   string `xml:"xmlns:xsi,attr"`
}

var declared = namespaces{
	UWS:   "http://www.ivoa.net/xml/UWS/v1.0", // of version 1.1 too
	XLink: "http://www.w3.org/1999/xlink",
	XSI:   "http://www.w3.org/2001/XMLSchema-instance",
}

// nillable is an element that says xsi:nil when its value is not known.
type nillable struct {
	Nil   string `xml:"xsi:nil,attr,omitempty"`
	Value string `xml:",chardata"`
}

func orNil(value string) nillable {
	if value == "" {
		return nillable{Nil: "true"}
	}
	return nillable{Value: value}
}

type jobXML struct {
	XMLName xml.Name `xml:"uws:job"`
	namespaces
	Version           string        `xml:"version,attr"`
	JobID             string        `xml:"uws:jobId"`
	RunID             string        `xml:"uws:runId,omitempty"`
	OwnerID           nillable      `xml:"uws:ownerId"`
	Phase             Phase         `xml:"uws:phase"`
	Quote             nillable      `xml:"uws:quote"`
	CreationTime      nillable      `xml:"uws:creationTime"`
	StartTime         nillable      `xml:"uws:startTime"`
	EndTime           nillable      `xml:"uws:endTime"`
	ExecutionDuration int64         `xml:"uws:executionDuration"`
	Destruction       nillable      `xml:"uws:destruction"`
	Parameters        parametersXML `xml:"uws:parameters"`
	Results           resultsXML    `xml:"uws:results"`
	ErrorSummary      *errorXML     `xml:"uws:errorSummary"`
	JobInfo           *infoXML      `xml:"uws:jobInfo"`
}

// infoXML is what UWS leaves to the service: how far a job is, and which parameters of the
// request it does not know.
type infoXML struct {
	Seltzer  string       `xml:"xmlns:seltzer,attr"`
	Progress *progressXML `xml:"seltzer:progress"`
	Rows     *rowsXML     `xml:"seltzer:rows"`
	Ignored  []string     `xml:"seltzer:ignored"`
}

// rowsXML is the [Tally] of a batch.
type rowsXML struct {
	Rows   int64 `xml:"of,attr"`
	Done   int64 `xml:"done,attr"`
	Empty  int64 `xml:"empty,attr"`
	Failed int64 `xml:"failed,attr"`
	Bytes  int64 `xml:"bytes,attr"`
}

// progressXML is a [Progress].
type progressXML struct {
	Done    int64 `xml:"done,attr"`
	Total   int64 `xml:"total,attr"`
	Results int   `xml:"results,attr"`
	Of      int   `xml:"of,attr"`
}

func info(j *Job, ignored []string) *infoXML {
	i := &infoXML{Seltzer: "https://github.com/seltzer-soda/seltzer", Ignored: ignored}
	if p := j.Progress; p != (Progress{}) {
		i.Progress = &progressXML{p.Done, p.Total, p.Results, p.Of}
	}
	if t := j.Tally; j.Kind == Batch && t != (Tally{}) {
		i.Rows = &rowsXML{t.Rows, t.Done, t.Empty, t.Failed, t.Bytes}
	}
	if i.Progress == nil && i.Rows == nil && len(ignored) == 0 {
		return nil
	}
	return i
}

type parametersXML struct {
	Parameter []parameterXML `xml:"uws:parameter"`
}

type parameterXML struct {
	ID    string `xml:"id,attr"`
	Value string `xml:",chardata"`
}

type resultsXML struct {
	Result []resultXML `xml:"uws:result"`
}

type resultXML struct {
	ID   string `xml:"id,attr"`
	Type string `xml:"xlink:type,attr"`
	Href string `xml:"xlink:href,attr"`
	Size string `xml:"size,attr,omitempty"`
	MIME string `xml:"mime-type,attr,omitempty"`
}

type errorXML struct {
	Type      string `xml:"type,attr"`
	HasDetail bool   `xml:"hasDetail,attr"`
	Message   string `xml:"uws:message"`
}

type jobsXML struct {
	XMLName xml.Name `xml:"uws:jobs"`
	namespaces
	Version string      `xml:"version,attr"`
	Job     []jobrefXML `xml:"uws:jobref"`
}

type jobrefXML struct {
	ID           string   `xml:"id,attr"`
	Type         string   `xml:"xlink:type,attr"`
	Href         string   `xml:"xlink:href,attr"`
	Phase        Phase    `xml:"uws:phase"`
	RunID        string   `xml:"uws:runId,omitempty"`
	OwnerID      nillable `xml:"uws:ownerId"`
	CreationTime nillable `xml:"uws:creationTime"`
}

func parameters(j *Job) (p parametersXML) {
	for _, param := range j.Params {
		p.Parameter = append(p.Parameter, parameterXML{param.Name, param.Value})
	}
	return p
}

func results(j *Job, list string) (r resultsXML) {
	for _, result := range j.Results {
		href := list + "/" + j.ID + "/results/" + result.ID
		if len(j.Results) > 1 { // clients save each under the end of its URL
			href += "/" + url.PathEscape(result.Name)
		}
		r.Result = append(r.Result, resultXML{
			ID: result.ID, Type: "simple", Href: href,
			Size: strconv.FormatInt(result.Size, 10), MIME: result.MIME,
		})
	}
	return r
}

// WriteJob writes the job document. list is the absolute URL of the job list, without a
// slash at its end; message is the text of the errorSummary, used if the job has one;
// ignored are the names of parameters that the service does not know.
func WriteJob(w io.Writer, j *Job, list, message string, ignored []string) error {
	doc := jobXML{
		namespaces: declared, Version: "1.1",
		JobID: j.ID, RunID: j.RunID, OwnerID: orNil(j.Owner), Phase: j.Phase, Quote: orNil(FormatInstant(j.Predicted())),
		CreationTime: orNil(FormatInstant(j.Created)),
		StartTime:    orNil(FormatInstant(j.Started)), EndTime: orNil(FormatInstant(j.Ended)),
		ExecutionDuration: int64(j.ExecutionDuration / time.Second), Destruction: orNil(FormatInstant(j.Destruction)),
		Parameters: parameters(j), Results: results(j, list), JobInfo: info(j, ignored),
	}
	if j.Failure != nil {
		doc.ErrorSummary = &errorXML{Type: "fatal", HasDetail: true, Message: message}
		if j.Failure.Transient {
			doc.ErrorSummary.Type = "transient"
		}
	}
	return write(w, doc)
}

// WriteJobs writes the job list, in the order given.
func WriteJobs(w io.Writer, jobs []*Job, list string) error {
	doc := jobsXML{namespaces: declared, Version: "1.1"}
	for _, j := range jobs {
		doc.Job = append(doc.Job, jobrefXML{
			ID: j.ID, Type: "simple", Href: list + "/" + j.ID, Phase: j.Phase, RunID: j.RunID,
			OwnerID: orNil(j.Owner), CreationTime: orNil(FormatInstant(j.Created)),
		})
	}
	return write(w, doc)
}

// WriteResults writes the document of a job's results.
func WriteResults(w io.Writer, j *Job, list string) error {
	return write(w, struct {
		XMLName xml.Name `xml:"uws:results"`
		namespaces
		resultsXML
	}{namespaces: declared, resultsXML: results(j, list)})
}

// WriteParameters writes the document of a job's parameters.
func WriteParameters(w io.Writer, j *Job) error {
	return write(w, struct {
		XMLName xml.Name `xml:"uws:parameters"`
		namespaces
		parametersXML
	}{namespaces: declared, parametersXML: parameters(j)})
}

func write(w io.Writer, doc any) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
