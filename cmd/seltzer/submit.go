package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

type submit struct {
	Manifest string   `arg:"" help:"File with a row for each cutout (Parquet, VOTable, ECSV, CSV, JSON), or, with --stored, its name in your folder of the batch bucket, with --topic its whole name there, owners/NAME/kept/…."`
	URL      string   `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Service to ask (${default})."`
	Topic    string   `placeholder:"projects/P/topics/T" help:"Publish a message to this topic of Pub/Sub instead; --url then only says where the job will be."`
	Stored   bool     `help:"The manifest is in your folder of the batch bucket already."`
	Package  string   `default:"zip" enum:"zip,tar,mef,table,files" help:"Form of the results: zip, tar, mef, table or files (${default})."`
	Names    string   `placeholder:"TEMPLATE" help:"Names of the files, such as {label}_{row}.fits."`
	Options  []string `name:"option" short:"o" placeholder:"NAME=VALUE" sep:"none" help:"For rows without a value of their own: STAMP=64, RADIUS=0.01, SIZE=0.1, ID, MASK, DETAIL, PAD, COMPRESS or HDU. Repeatable."`
	Request  string   `placeholder:"ID" help:"Name of the request: the same name is the same job. Usually it follows from the manifest's content and the options."`
	Watch    bool     `short:"w" help:"Wait for the end of the job."`
}

// Help is what seltzer submit --help adds.
func (submit) Help() string {
	return `Asks for the cutouts of all rows of a table in one job, and prints the job's URL.

    seltzer submit objects.parquet -o STAMP=64 --package table --watch
    seltzer submit objects.ecsv --url https://cutouts.example.org
    seltzer submit owners/ada/kept/objects.parquet --topic projects/p/topics/batch --url https://cutouts.example.org --watch

The same command a second time finds the job that it made the first time, if the service
lists jobs to whoever asks: after an interruption it goes on watching.`
}

// Run submits a manifest.
func (c *submit) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	params, err := c.params()
	if err != nil {
		return err
	}
	if c.Topic != "" {
		return c.publish(ctx, s, params)
	}
	if err := c.name(params); err != nil {
		return err
	}
	c.URL = strings.TrimRight(c.URL, "/")
	job, err := c.find(ctx)
	if err != nil {
		return err
	}
	if job == "" {
		if job, err = c.create(ctx, params); err != nil {
			return err
		}
	}
	fmt.Fprintln(s.out, job)
	if c.Watch {
		return watch(ctx, s, job)
	}
	return nil
}

// params returns what the options say, as parameters.
func (c *submit) params() (params []uws.Param, err error) {
	params = append(params, uws.Param{Name: "PACKAGE", Value: c.Package})
	if c.Names != "" {
		params = append(params, uws.Param{Name: "NAMES", Value: c.Names})
	}
	for _, o := range c.Options {
		name, value, ok := strings.Cut(o, "=")
		if !ok || name == "" || value == "" {
			return nil, fault.New(fault.Usage, "", "--option %q: want NAME=VALUE, such as STAMP=64", o)
		}
		params = append(params, uws.Param{Name: strings.ToUpper(name), Value: value})
	}
	return params, nil
}

// name gives the request the name that follows from its content, if it has none.
func (c *submit) name(params []uws.Param) error {
	if c.Request != "" {
		return nil
	}
	words := []string{"submit", c.Manifest}
	if !c.Stored {
		f, err := os.Open(c.Manifest)
		if err != nil {
			return fault.New(fault.Usage, "", "cannot read the manifest: %w", err)
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return fault.New(fault.Usage, "", "cannot read the manifest: %w", err)
		}
		words[1] = string(h.Sum(nil))
	}
	for _, p := range params {
		words = append(words, p.Name, p.Value)
	}
	c.Request = uws.DerivedID(words...)
	return nil
}

// find returns the URL of the job that has the request's name, or "".
func (c *submit) find(ctx context.Context) (string, error) {
	var jobs struct {
		Job []struct {
			ID    string `xml:"id,attr"`
			Phase string `xml:"phase"`
			RunID string `xml:"runId"`
		} `xml:"jobref"`
	}
	body, err := fetch(ctx, c.URL+"/async?LAST=500")
	if err != nil {
		return "", err
	}
	if err := xml.Unmarshal(body, &jobs); err != nil {
		return "", fault.New(fault.Unavailable, "", "%s/async answers with no list of jobs: %w; is that the URL of a service?", c.URL, err)
	}
	for _, j := range jobs.Job {
		if j.RunID == c.Request && j.Phase != string(uws.Error) && j.Phase != string(uws.Aborted) {
			return c.URL + "/async/" + j.ID, nil
		}
	}
	return "", nil
}

// create makes the job and returns its URL.
func (c *submit) create(ctx context.Context, params []uws.Param) (string, error) {
	params = append(params, uws.Param{Name: "RUNID", Value: c.Request}, uws.Param{Name: "PHASE", Value: "RUN"})
	in, out := io.Pipe()
	defer in.Close()
	form := multipart.NewWriter(out)
	go func() { out.CloseWithError(c.fill(form, params)) }()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/async", in)
	if err != nil {
		return "", fault.New(fault.Usage, "", "--url %q: %w", c.URL, err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := patient.Do(r)
	if err != nil {
		return "", unreachable(c.URL, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		return "", refused(answer)
	}
	at, err := answer.Location()
	if err != nil {
		return "", fault.New(fault.Unavailable, "", "%s made a job and does not say where: %w", c.URL, err)
	}
	return at.String(), nil
}

// fill writes the form of a request.
func (c *submit) fill(form *multipart.Writer, params []uws.Param) error {
	if c.Stored {
		params = append(params, uws.Param{Name: "MANIFEST", Value: c.Manifest})
	}
	for _, p := range params {
		if err := form.WriteField(p.Name, p.Value); err != nil {
			return err
		}
	}
	if !c.Stored {
		f, err := os.Open(c.Manifest)
		if err != nil {
			return err
		}
		defer f.Close()
		part, err := form.CreateFormFile("MANIFEST", filepath.Base(c.Manifest))
		if err != nil {
			return err
		}
		if _, err := io.Copy(part, f); err != nil {
			return err
		}
	}
	return form.Close()
}

// batchJob is what a job's document says of a batch.
type batchJob struct {
	Phase   uws.Phase `xml:"phase"`
	Message string    `xml:"errorSummary>message"`
	Rows    struct {
		Of     int64 `xml:"of,attr"`
		Done   int64 `xml:"done,attr"`
		Empty  int64 `xml:"empty,attr"`
		Failed int64 `xml:"failed,attr"`
		Bytes  int64 `xml:"bytes,attr"`
	} `xml:"jobInfo>rows"`
	Results []struct {
		ID   string `xml:"id,attr"`
		Href string `xml:"href,attr"`
	} `xml:"results>result"`
}

// watch shows the progress of a job until it ends, and prints where its results are.
func watch(ctx context.Context, s *streams, job string) error {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(s.err), progressbar.OptionSetDescription("planning"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetVisibility(isTerminal(s.err)))
	for fails := 0; ; {
		body, err := fetch(ctx, job)
		var j batchJob
		if err == nil {
			err = xml.Unmarshal(body, &j)
		}
		if err != nil {
			if fails++; fails > 5 || ctx.Err() != nil || fault.CodeOf(err) == fault.NotFound {
				return fault.New(fault.Unavailable, "", "the job goes on without us; watch it at %s, or give the same command again: %w", job, err)
			}
		} else {
			fails = 0
			if j.Rows.Of > 0 {
				bar.Describe(fmt.Sprintf("%d cut, %d empty, %d failed", j.Rows.Done, j.Rows.Empty, j.Rows.Failed))
				bar.ChangeMax64(j.Rows.Of)
				_ = bar.Set64(j.Rows.Done + j.Rows.Empty + j.Rows.Failed) // it only shows
			}
			if j.Phase.Terminal() {
				_ = bar.Finish()
				return j.ended(s)
			}
		}
		select {
		case <-ctx.Done():
			fmt.Fprintf(s.err, "the job goes on without us; watch it at %s, or give the same command again\n", job)
			return nil
		case <-time.After(time.Second):
		}
	}
}

// ended says what became of the job.
func (j *batchJob) ended(s *streams) error {
	fmt.Fprintf(s.err, "%s: %d cut, %d empty, %d failed of %d\n", j.Phase, j.Rows.Done, j.Rows.Empty, j.Rows.Failed, j.Rows.Of)
	for _, r := range j.Results {
		fmt.Fprintf(s.out, "%s\t%s\n", r.ID, r.Href)
	}
	if j.Phase != uws.Completed {
		return fault.New(fault.Unavailable, "", "the job ended as %s: %s", j.Phase, j.Message)
	}
	return nil
}

// patient follows no redirect: that of a new job is its URL.
var patient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// fetch returns the body of a resource.
func fetch(ctx context.Context, where string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "%q is no URL: %w", where, err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, unreachable(where, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, refused(answer)
	}
	return io.ReadAll(io.LimitReader(answer.Body, 64<<20))
}

func unreachable(where string, err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return fault.New(fault.Unavailable, "", "%s cannot be reached: %w", where, err)
}

// refused is the error of an answer that is none of those that were expected.
func refused(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // as far as it came
	code := fault.Unavailable
	switch {
	case answer.StatusCode == http.StatusNotFound:
		code = fault.NotFound
	case answer.StatusCode < 500:
		code = fault.Usage
	}
	return fault.New(code, "", "the service answers %s: %s", answer.Status, strings.TrimSpace(string(text)))
}

// message is what makes a batch on the topic.
type message struct {
	Manifest  string            `json:"manifest,omitempty"`
	Rows      json.RawMessage   `json:"rows,omitempty"`
	Options   map[string]string `json:"options"`
	RequestID string            `json:"requestId"`
}
