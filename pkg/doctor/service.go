package doctor

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// user is who the canary's jobs belong to, where a proxy says who asks.
const user = "seltzer-doctor"

const (
	maxCutout = 256 << 20        // of an example, which is small
	maxSkew   = 30 * time.Second // leases allow for a minute
	runTime   = 2 * time.Minute  // of the canary's async job
)

// service is a service as its clients see it.
type service struct {
	url        string
	header     http.Header
	http       *http.Client
	deployment *deployment // nil if it is known by its URL alone

	entered   bool   // the header says who asks
	noEntry   string // why it cannot
	available reply
	example   url.Values
	now       []byte // the cutout that /sync gave
	job       string // URL of the canary's job
	result    string // URL of its result
}

// reply is an answer that was read.
type reply struct {
	status   int
	header   http.Header
	body     []byte
	from     *url.URL
	sent, at time.Time
	err      error
}

// said shortens what an answer says for people.
func (r reply) said() string {
	if r.err != nil {
		return r.err.Error()
	}
	text := strings.Join(strings.Fields(string(r.body)), " ")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), text)
}

// enter finds out how to be let in.
func (s *service) enter(ctx context.Context) {
	if s.entered {
		return
	}
	s.entered = true
	if s.http == nil {
		s.http = &http.Client{}
	}
	if s.header == nil {
		s.header = http.Header{}
	}
	d := s.deployment
	if d == nil || s.header.Get("Authorization") != "" || d.setting(soda, "SELTZER_BEHIND_IAM") != "true" {
		return
	}
	account := d.setting(soda, "SELTZER_PROXY_ACCOUNT")
	if account != "" {
		s.header.Set("X-Auth-Request-User", user)
	} else if account = os.Getenv("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"); account == "" {
		s.noEntry = "not everybody may call soda, and it is not known who you are: set GOOGLE_IMPERSONATE_SERVICE_ACCOUNT to an account that may, or give a token by --header"
		return
	}
	token, err := d.identity(ctx, account, d.setting(soda, "SELTZER_AUDIENCE"))
	if err != nil {
		s.noEntry = fmt.Sprintf("you may not act as %s, which may call soda: %v", account, err)
		return
	}
	s.header.Set("Authorization", "Bearer "+token)
}

// send sends a request, following redirects if it shall.
func (s *service) send(ctx context.Context, method, address string, form url.Values, follow bool) (r reply) {
	s.enter(ctx)
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else if len(form) > 0 {
		address += "?" + form.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return reply{err: err}
	}
	for name, values := range s.header {
		request.Header[name] = values
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := *s.http
	if !follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	r.sent = time.Now()
	answer, err := client.Do(request)
	if r.at = time.Now(); err != nil {
		r.err = err
		return r
	}
	defer answer.Body.Close()
	r.status, r.header, r.from = answer.StatusCode, answer.Header, answer.Request.URL
	r.body, r.err = io.ReadAll(io.LimitReader(answer.Body, maxCutout))
	return r
}

// waitFor waits until the service says that it is available, but not longer than a time.
func (s *service) waitFor(ctx context.Context, limit time.Duration) {
	if s.url == "" || limit <= 0 {
		return
	}
	for end := time.Now().Add(limit); time.Now().Before(end) && ctx.Err() == nil; {
		if r := s.send(ctx, http.MethodGet, s.url+"/availability", nil, true); r.err == nil && isAvailable(r.body) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

// checks are made one after the other.
func (s *service) checks() []check {
	// after has a check wait for what an earlier one found.
	after := func(name string, found func() bool, missing string, look func(context.Context) verdict) check {
		return check{name, func(ctx context.Context) verdict {
			if !found() {
				return unseen("%s", missing)
			}
			return look(ctx)
		}}
	}
	answered := func() bool { return s.available.err == nil && s.available.status == http.StatusOK }
	const silent = "the service did not answer"
	return []check{
		{"service answers", s.answers},
		after("service is available", answered, silent, s.isUp),
		after("clock", answered, silent, s.clock),
		after("links of the service", answered, silent, s.leads),
		after("example", answered, silent, s.findExample),
		after("sync cutout", func() bool { return s.example != nil }, "there is no example to cut", s.cutNow),
		after("async cutout", func() bool { return s.example != nil }, "there is no example to cut", s.cutLater),
		after("async result", func() bool { return s.result != "" }, "no job came to its end", s.fetch),
		after("deletion", func() bool { return s.job != "" }, "no job was made", s.remove),
	}
}

func (s *service) answers(ctx context.Context) verdict {
	if s.url == "" {
		return unseen("its URL is not known")
	}
	s.enter(ctx)
	if s.noEntry != "" {
		s.available.err = errors.New(s.noEntry)
		return unseen("%s", s.noEntry)
	}
	s.available = s.send(ctx, http.MethodGet, s.url+"/availability", nil, true)
	switch r := s.available; {
	case r.err != nil:
		return failed("see whether the address is right and the service runs; of an edge, whether the domain points to it", "%s does not answer: %v", s.url, r.err)
	case r.status == http.StatusForbidden, r.status == http.StatusUnauthorized:
		return failed("give a token by --header, or grant roles/run.invoker on soda (public, invokers)", "%s", r.said())
	case r.status != http.StatusOK:
		return failed("read the log of soda", "%s", r.said())
	}
	return ok("%s, in %d ms", s.url, s.available.at.Sub(s.available.sent).Milliseconds())
}

// availability is the document of VOSI 1.1.
type availability struct {
	Available bool     `xml:"available"`
	Notes     []string `xml:"note"`
}

func isAvailable(body []byte) bool {
	var a availability
	return xml.Unmarshal(body, &a) == nil && a.Available
}

func (s *service) isUp(context.Context) verdict {
	var a availability
	if err := xml.Unmarshal(s.available.body, &a); err != nil {
		return failed("is this the URL of a SODA service?", "/availability is no document of VOSI: %v", err)
	}
	notes := strings.Join(a.Notes, "; ")
	if !a.Available {
		return failed("mend the part that is down; the checks of its group say how", "it says that it is not: %s", notes)
	}
	return ok("%s", notes)
}

func (s *service) clock(context.Context) verdict {
	r := s.available
	theirs, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		return unseen("its answers carry no date")
	}
	skew := theirs.Add(time.Second / 2).Sub(r.sent.Add(r.at.Sub(r.sent) / 2)) // the header counts whole seconds
	if skew.Abs() > maxSkew+r.at.Sub(r.sent)/2 {
		return failed("set the clock: of this machine, or of that of the service; tokens, signatures and leases go by it", "the service's clock is %v from this machine's", skew.Round(time.Second))
	}
	return ok("it is within a second or two of this machine's")
}

// leads looks whether the URLs that clients are led to are those of the service.
func (s *service) leads(ctx context.Context) verdict {
	r := s.send(ctx, http.MethodGet, s.url+"/capabilities", nil, true)
	var c struct {
		URLs []string `xml:"capability>interface>accessURL"`
	}
	if err := errors.Join(r.err, xml.Unmarshal(r.body, &c)); err != nil || r.status != http.StatusOK || len(c.URLs) == 0 {
		return failed("is this the URL of a SODA service?", "/capabilities is no document of VOSI: %s", r.said())
	}
	for _, address := range c.URLs {
		base, found := strings.CutSuffix(strings.TrimSpace(address), "/availability")
		if !found || base == s.url {
			continue
		}
		if r := s.send(ctx, http.MethodGet, address, nil, true); r.err != nil || r.status != http.StatusOK {
			return failed("set the public URL: serve --public-url, or edge.domain", "clients are led to %s, which does not answer: %s", base, r.said())
		}
		return ok("clients are led to %s, which answers", base)
	}
	return ok("%s", s.url)
}

// keyval finds the parameters of examples: DALI 1.1, section 2.3.
var keyval = regexp.MustCompile(`property="key">([^<]*)<.*?property="value">([^<]*)<`)

func (s *service) findExample(ctx context.Context) verdict {
	r := s.send(ctx, http.MethodGet, s.url+"/examples", nil, true)
	found := url.Values{}
	for _, m := range keyval.FindAllSubmatch(r.body, -1) {
		key := html.UnescapeString(string(m[1]))
		if key == "ID" && found.Has("ID") {
			break // the next example
		}
		found.Set(key, html.UnescapeString(string(m[2])))
	}
	if r.err != nil || r.status != http.StatusOK || len(found) < 2 {
		return failed("is there a FITS image with a sky in the archives, and may soda read it? Then ask for one cutout by hand", "there is none to try (%d)", r.status)
	}
	id := found.Get("ID")
	if d := s.deployment; d != nil {
		ours := d.prefixes()
		if len(ours) > 0 && !slices.ContainsFunc(ours, func(p string) bool { return strings.HasPrefix(id, p) }) {
			return failed("give the URL of this deployment (SELTZER_SMOKE_URL of scripts/deploy), or none: then it is asked at its own",
				"this is another service: its example is %s, and the IDs of the deployment begin with %s", id, strings.Join(ours, " or "))
		}
	}
	s.example = found
	return ok("%s", id)
}

func (s *service) cutNow(ctx context.Context) verdict {
	r := s.send(ctx, http.MethodGet, s.url+"/sync", s.example, true)
	if r.err != nil || r.status != http.StatusOK {
		return failed("read the logs of soda, cutout and signer", "%s", r.said())
	}
	if err := sound(r.body); err != nil {
		return failed("report it with the example: these bytes are wrong", "the cutout from %s: %v", r.from.Host, err)
	}
	s.now = r.body
	return ok("%d bytes, whose sums are right, in %d ms", len(r.body), r.at.Sub(r.sent).Milliseconds())
}

// jobXML is what the canary reads of a job: UWS 1.1.
type jobXML struct {
	Phase   string `xml:"phase"`
	Results []struct {
		Address string `xml:"http://www.w3.org/1999/xlink href,attr"`
	} `xml:"results>result"`
	Message string `xml:"errorSummary>message"`
}

func (s *service) cutLater(ctx context.Context) verdict {
	form := url.Values{"PHASE": {"RUN"}, "RUNID": {"doctor"}}
	for key, values := range s.example {
		form[key] = values
	}
	r := s.send(ctx, http.MethodPost, s.url+"/async", form, false)
	if r.err != nil || r.status != http.StatusSeeOther || r.header.Get("Location") == "" {
		return failed("read the log of soda", "no job was made: %s", r.said())
	}
	location, err := r.from.Parse(r.header.Get("Location"))
	if err != nil {
		return failed("set the public URL", "the job's address is none: %q", r.header.Get("Location"))
	}
	s.job = location.String()
	var j jobXML
	for end := time.Now().Add(runTime); time.Now().Before(end); {
		r = s.send(ctx, http.MethodGet, s.job, url.Values{"WAIT": {"10"}}, true)
		j = jobXML{}
		if r.err != nil || r.status != http.StatusOK || xml.Unmarshal(r.body, &j) != nil {
			return failed("read the log of soda", "the job cannot be read: %s", r.said())
		}
		if j.Phase != "PENDING" && j.Phase != "QUEUED" && j.Phase != "EXECUTING" {
			break
		}
	}
	switch {
	case j.Phase == "QUEUED":
		return failed("see the checks of queues, and who may call cutout", "the job was not taken in %v", runTime)
	case j.Phase != "COMPLETED" || len(j.Results) == 0:
		return failed("read the log of cutout", "the job is %s with %d results: %s", j.Phase, len(j.Results), j.Message)
	}
	s.result = j.Results[0].Address
	return ok("%s", s.job)
}

func (s *service) fetch(ctx context.Context) verdict {
	r := s.send(ctx, http.MethodGet, s.result, nil, true)
	if r.err != nil || r.status != http.StatusOK {
		return failed("read the log of signer; may it sign, and read the results?", "%s", r.said())
	}
	if err := sound(r.body); err != nil {
		return failed("report it with the example: these bytes are wrong", "the result from %s: %v", r.from.Host, err)
	}
	if s.now != nil && !samePixels(s.now, r.body) {
		return failed("report it with the example: these bytes are wrong", "sync and async gave different pixels")
	}
	return ok("%d bytes, the same pixels as by sync", len(r.body))
}

func (s *service) remove(ctx context.Context) verdict {
	const byHand = "delete the job by hand; read the log of soda"
	if r := s.send(ctx, http.MethodDelete, s.job, nil, false); r.err != nil || r.status != http.StatusSeeOther {
		return failed(byHand, "%s is not deleted: %s", s.job, r.said())
	}
	if r := s.send(ctx, http.MethodGet, s.job, nil, true); r.err != nil || r.status != http.StatusNotFound {
		return failed(byHand, "%s is still there: %d", s.job, r.status)
	}
	return ok("the job is gone")
}

// block is that of FITS files.
const block = 2880

// data returns the data of each HDU with their padding.
func data(file []byte) (*fits.Index, [][]byte, error) {
	x, err := fits.ReadIndex(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, nil, err
	}
	var all [][]byte
	for _, u := range x.HDUs {
		end := u.DataOffset + (u.DataSize+block-1)/block*block
		if end > int64(len(file)) {
			return nil, nil, errors.New("the file is cut short")
		}
		all = append(all, file[u.DataOffset:end])
	}
	return x, all, nil
}

// sound reports whether a file is FITS whose data have the sums that its headers say.
func sound(file []byte) error {
	x, all, err := data(file)
	if err != nil {
		return err
	}
	images := 0
	for i, u := range x.HDUs {
		if u.Image() {
			images++
		}
		want, found, _ := u.Header.Text("DATASUM")
		if got := fmt.Sprint(datasum(all[i])); !found || got != want {
			return fmt.Errorf("the data of HDU %d add up to %s, and its DATASUM is %q", i, got, want)
		}
	}
	if images == 0 {
		return errors.New("it holds no image")
	}
	return nil
}

// datasum adds data up. Source: FITS Standard 4.0, section 4.4.2.7 and appendix J.
func datasum(data []byte) uint32 {
	var total uint64
	for ; len(data) >= 4; data = data[4:] {
		total += uint64(binary.BigEndian.Uint32(data))
	}
	for total>>32 > 0 {
		total = total&0xffffffff + total>>32
	}
	return uint32(total) // #nosec G115 -- it was folded to 32 bits
}

// samePixels reports whether two files hold the same data; their headers say when they were made.
func samePixels(a, b []byte) bool {
	_, first, err := data(a)
	_, second, err2 := data(b)
	if err != nil || err2 != nil || len(first) != len(second) {
		return false
	}
	for i := range first {
		if !bytes.Equal(first[i], second[i]) {
			return false
		}
	}
	return true
}
