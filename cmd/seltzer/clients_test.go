package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
)

// The requests that clients in use send, in their order and in their spelling, with what
// each of them needs of the answers. What they ask of /links is tested beside it.

// uwsJob is a job as clients read it: by the names of the schema.
type uwsJob struct {
	JobID   string `xml:"http://www.ivoa.net/xml/UWS/v1.0 jobId"`
	Phase   string `xml:"http://www.ivoa.net/xml/UWS/v1.0 phase"`
	Results []struct {
		ID   string `xml:"id,attr"`
		Href string `xml:"http://www.w3.org/1999/xlink href,attr"`
	} `xml:"http://www.ivoa.net/xml/UWS/v1.0 results>result"`
}

func readJob(t *testing.T, body string) (j uwsJob) {
	t.Helper()
	if err := xml.Unmarshal([]byte(body), &j); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return j
}

// astroquery.casda: the job's URL from the links, where the service is called cutout_service;
// the IDs in the query string of the POST that it lets be redirected to
// the job; regions POSTed to /parameters, all combinations of them; a lower-case phase; and
// files named after the end of each result's URL.
func TestCASDA(t *testing.T) {
	s := demoServer(t)
	var links struct {
		Resources []struct {
			ID     string `xml:"ID,attr"`
			Params []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"PARAM"`
		} `xml:"RESOURCE"`
	}
	if err := xml.Unmarshal([]byte(get(t, s.URL+"/links?"+url.Values{"ID": {demoID}}.Encode()).Body), &links); err != nil {
		t.Fatal(err)
	}
	service := ""
	for _, r := range links.Resources {
		for _, p := range r.Params {
			if r.ID == "cutout_service" && p.Name == "accessURL" {
				service = p.Value
			}
		}
	}
	if service != s.URL+"/async" {
		t.Fatalf("cutout_service is at %q, want %s/async", service, s.URL)
	}
	ids := url.Values{"ID": {demoID, "ivo://localhost/demo?exposure.fits"}}
	made := send(t, http.DefaultClient, request(t, http.MethodPost, service+"?"+ids.Encode(), url.Values{}))
	job := made.Request.URL.String()
	if made.StatusCode != 200 || readJob(t, made.Body).Phase != "PENDING" {
		t.Fatalf("create: %s at %s\n%s", made.Status, job, made.Body)
	}
	form := url.Values{"POS": {"CIRCLE 150.1163 2.2058 0.003", "CIRCLE 150.118 2.2058 0.003"}}
	if got := send(t, http.DefaultClient, request(t, http.MethodPost, job+"/parameters", form)); got.StatusCode != 200 || strings.Count(got.Body, `id="POS"`) != 2 {
		t.Errorf("parameters: %s\n%s", got.Status, got.Body)
	}
	if got := send(t, http.DefaultClient, request(t, http.MethodPost, job+"/phase", url.Values{"phase": {"RUN"}})); got.StatusCode != 200 {
		t.Errorf("phase: %s\n%s", got.Status, got.Body)
	}
	if phase := waitForEnd(t, job); phase != "COMPLETED" {
		t.Fatalf("the job ends %s: %s", phase, get(t, job+"/error").Body)
	}
	names := make(map[string]bool)
	for _, r := range readJob(t, get(t, job).Body).Results {
		href, err := url.PathUnescape(r.Href) // as the client does with the whole URL
		if err != nil {
			t.Fatal(err)
		}
		where, err := url.Parse(href)
		if err != nil {
			t.Fatal(err)
		}
		names[path.Base(where.Path)] = true
		if got := send(t, http.DefaultClient, request(t, http.MethodGet, href, nil)); got.StatusCode != 200 || !strings.HasSuffix(got.Request.URL.Path, path.Base(where.Path)) {
			t.Errorf("%s: %s at %s", href, got.Status, got.Request.URL)
		}
	}
	for i := range 2 {
		if want := fmt.Sprintf("starfield_cutout-%04d.fits", i+1); !names[want] {
			t.Errorf("the files are %v, want %s among them", names, want)
		}
	}
	if len(names) != 4 {
		t.Errorf("the files are %v, want one for each combination", names)
	}
}

// astroquery.cadc: URLs that it builds itself, spaces as %20 or +, with a RUNID, fetched by whatever.
func TestCADC(t *testing.T) {
	s := demoServer(t)
	for _, query := range []string{
		"ID=" + url.QueryEscape(demoID) + "&POS=CIRCLE+150.1163+2.2058+0.004&RUNID=astroquery",
		"ID=" + url.PathEscape(demoID) + "&POS=CIRCLE%20150.1163%202.2058%200.004",
		"ID=" + url.QueryEscape(demoID) + "&POS=circle+150.1163+2.2058+0.004",
		"ID=" + url.QueryEscape(demoID) + "&circle=150.1163+2.2058+0.004",
	} {
		checkFITS(t, query, send(t, http.DefaultClient, request(t, http.MethodGet, s.URL+"/sync?"+query, nil)))
	}
}

// checkFITS checks an answer that a viewer loads.
func checkFITS(t *testing.T, what string, got answer) {
	t.Helper()
	h := got.Header
	if got.StatusCode != 200 || !strings.HasPrefix(got.Body, "SIMPLE  =") || h.Get("Content-Type") != "application/fits" || h.Get("Content-Length") != fmt.Sprint(len(got.Body)) ||
		h.Get("ETag") == "" || h.Get("Last-Modified") == "" || h.Get("Content-Encoding") != "" || !strings.Contains(h.Get("Content-Disposition"), `filename="starfield_cutout.fits"`) ||
		!strings.HasSuffix(got.Request.URL.Path, "/starfield_cutout.fits") {
		t.Errorf("SODA-32 %s: %s at %s %v %.200q", what, got.Status, got.Request.URL, h, got.Body)
	}
}

// Aladin Desktop: every parameter that it knows, those without a value empty; async jobs by
// one POST with PHASE=RUN, whose Location it follows itself, and java.net.URL wants absolute.
func TestAladinDesktop(t *testing.T) {
	s := demoServer(t)
	checkFITS(t, "sync", send(t, http.DefaultClient, request(t, http.MethodGet, s.URL+"/sync?POS=CIRCLE+150.1163+2.2058+0.004&TIME=&BAND=&POL=&ID="+url.QueryEscape(demoID), nil)))
	made := post(t, s.URL+"/async", "ID", demoID, "CIRCLE", inside, "POLYGON", "", "PHASE", "RUN")
	job, err := url.Parse(made.Header.Get("Location"))
	if made.StatusCode != 303 || err != nil || !job.IsAbs() {
		t.Fatalf("create: %s to %s", made.Status, job)
	}
	if phase := waitForEnd(t, job.String()); phase != "COMPLETED" {
		t.Fatalf("the job ends %s", phase)
	}
	results := readJob(t, get(t, job.String()).Body).Results
	if len(results) != 1 {
		t.Fatalf("%+v", results)
	}
	checkFITS(t, "async", send(t, http.DefaultClient, request(t, http.MethodGet, results[0].Href, nil)))
	if got := send(t, still, request(t, http.MethodDelete, job.String(), nil)); got.StatusCode != 303 {
		t.Errorf("DELETE: %s", got.Status)
	}
}

// Aladin Lite: a bare GET that probes, then one from a page of another origin, which the
// browser lets it read after redirects only with CORS on each step; a redirect to another
// origin makes its Origin null.
func TestAladinLite(t *testing.T) {
	s := demoServer(t, "--auth", "none")
	page := func(address, origin string) answer {
		r := request(t, http.MethodGet, address, nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		got := send(t, still, r)
		if got.Header.Get("Access-Control-Allow-Origin") != "*" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("SEC-07 %s: %v", address, got.Header)
		}
		return got
	}
	began := time.Now()
	if got := page(s.URL+"/sync", "https://aladin.example.org"); got.StatusCode != 400 || time.Since(began) > 5*time.Second {
		t.Errorf("the probe: %s after %v", got.Status, time.Since(began))
	}
	got := page(s.URL+"/sync?CIRCLE=150.1163%202.2058%200.004&ID="+url.QueryEscape(demoID), "https://aladin.example.org")
	if got.StatusCode != 303 {
		t.Fatalf("%s %s", got.Status, got.Body)
	}
	checkFITS(t, "the blob", page(got.Header.Get("Location"), "null"))
	if got := page(s.URL+"/sync?CIRCLE=10%2010%200.001&ID="+url.QueryEscape(demoID), "https://aladin.example.org"); got.StatusCode != 204 || got.Body != "" {
		t.Errorf("SODA-33: %s %q", got.Status, got.Body)
	}
}

// Firefly: its server fetches CIRCLE=ra dec r with what its form has, 0.01 degrees by
// default, and follows redirects; it sends an Authorization along, which the signed URL
// on the same host must not mind.
func TestFirefly(t *testing.T) {
	s := demoServer(t)
	r := request(t, http.MethodGet, s.URL+"/sync?ID="+url.QueryEscape(demoID)+"&CIRCLE=150.1163+2.2058+0.01", nil)
	r.Header.Set("Authorization", "Bearer something")
	checkFITS(t, "the image", send(t, http.DefaultClient, r))
}

// TOPCAT: urlencoded in lower case, POLYGON with blanks as +, and an empty field for what
// the user left out.
func TestTOPCAT(t *testing.T) {
	s := demoServer(t)
	id := strings.NewReplacer("%3A", "%3a", "%2F", "%2f", "%3F", "%3f").Replace(url.QueryEscape(demoID))
	checkFITS(t, "invoke service", send(t, http.DefaultClient, request(t, http.MethodGet, s.URL+"/sync?ID="+id+"&CIRCLE=&POLYGON=150.114+2.204+150.118+2.204+150.116+2.208&POS=", nil)))
}

// STILTS (uk.ac.starlink.vo.UwsJob): every POST must answer 303 with a Location that ends in
// the job's id, WAIT=-1 goes with the phase last seen, DELETE must answer 303, and when it
// has streams to send, a POST is multipart, chunked, and delimited as no other client does.
func TestSTILTS(t *testing.T) {
	s := demoServer(t)
	address, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	const boundary = "<<<--------------MULTIPART-BOUNDARY------->>>"
	var body string
	for _, p := range [][2]string{{"ID", demoID}, {"CIRCLE", inside}, {"RUNID", "stilts"}} {
		body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + p[0] + "\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + p[1] + "\r\n"
	}
	body += "--" + boundary + "--\r\n"
	conn, err := net.Dial("tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /async HTTP/1.1\r\nHost: %s\r\nContent-Type: multipart/form-data; boundary=\"%s\"\r\nTransfer-Encoding: chunked\r\n\r\n", address.Host, boundary)
	for rest := body; rest != ""; { // in small chunks, which cut the boundary
		n := min(len(rest), 37)
		fmt.Fprintf(conn, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	fmt.Fprint(conn, "0\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	job := response.Header.Get("Location")
	if response.StatusCode != 303 {
		t.Fatalf("SODA-03 create: %s %s", response.Status, text)
	}
	doc := get(t, job)
	if j := readJob(t, doc.Body); j.JobID != path.Base(job) || j.Phase != "PENDING" || !strings.Contains(doc.Body, "<uws:runId>stilts<") {
		t.Errorf("%s\n%s", job, doc.Body)
	}
	if got := post(t, job+"/phase", "PHASE", "RUN"); got.StatusCode != 303 {
		t.Errorf("RUN: %s", got.Status)
	}
	phase := "QUEUED"
	for range 20 {
		began := time.Now()
		now := readJob(t, get(t, job+"?WAIT=-1&PHASE="+phase).Body).Phase
		if now == phase && time.Since(began) < time.Second {
			t.Errorf("WAIT=-1&PHASE=%s came back at once with the same phase", phase)
		}
		if phase = now; phase == "COMPLETED" {
			break
		}
	}
	if phase != "COMPLETED" {
		t.Errorf("the job is %s", phase)
	}
	if got := send(t, still, request(t, http.MethodDelete, job, nil)); got.StatusCode != 303 {
		t.Errorf("UWS-47: DELETE: %s", got.Status)
	}
	if got := get(t, job); got.StatusCode != 404 {
		t.Errorf("after DELETE: %s", got.Status)
	}
}
