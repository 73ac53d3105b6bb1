package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/demo"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// asSeltzer makes the test binary behave as the command seltzer, so that tests run the
// real process, built with the same flags (such as -race) as themselves.
const asSeltzer = "SELTZER_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asSeltzer) == "1" {
		os.Exit(run(os.Args[1:], &streams{os.Stdin, os.Stdout, os.Stderr}))
	}
	status := m.Run()
	if demoFolder != "" {
		_ = os.RemoveAll(demoFolder)
	}
	os.Exit(status)
}

// demoFolder holds the demo archive, once it was made; it takes some seconds under the race
// detector.
var demoFolder string

var makeDemo = sync.OnceValue(func() (err error) {
	if demoFolder, err = os.MkdirTemp("", "seltzer-demo-"); err != nil {
		return err
	}
	return demo.Write(context.Background(), demoFolder)
})

// linkDemo puts the demo archive into a folder, without making it anew.
func linkDemo(t testing.TB, dir string) {
	t.Helper()
	if err := makeDemo(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range demo.Names() {
		if err := os.Link(filepath.Join(demoFolder, name), filepath.Join(dir, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asSeltzer+"=1")
	return cmd
}

// server is a running seltzer serve.
type server struct {
	URL, Data string
	Results   string // with what the URLs of results begin …
	Refusal   string // … and what is said there to who has no signature
	Try       string // the curl command that it printed
	cmd       *exec.Cmd
	group     int // the process group, of a function
	log       *logBuffer
	exited    chan struct{}
}

// logBuffer keeps what a server printed. It may be read while the server writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.WriteString(line + "\n")
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs seltzer serve with a data folder and further flags, and waits until it is ready.
// Several starts may share a log.
func start(t testing.TB, data, listen string, log *logBuffer, flags ...string) *server {
	t.Helper()
	return startCommand(t, command, data, listen, log, flags...)
}

func startCommand(t testing.TB, command func(context.Context, ...string) *exec.Cmd, data, listen string, log *logBuffer, flags ...string) *server {
	t.Helper()
	linkDemo(t, filepath.Join(data, "demo"))
	s := &server{Data: data, log: log, exited: make(chan struct{})}
	s.cmd = command(context.Background(), append([]string{"serve", "--listen", listen, "--data", data}, flags...)...)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	ready := make(chan struct{})
	go func() {
		defer close(s.exited)
		announced := false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			line := lines.Text()
			s.log.add(line)
			if address, ok := strings.CutPrefix(line, "listening on "); ok && !announced {
				s.URL, s.Results, s.Refusal = address, address+"/results/", "AuthorizationError: "
			}
			curl, ok := strings.CutPrefix(line, "try: ")
			if !announced && (ok || strings.HasPrefix(line, "no example")) {
				s.Try, announced = curl, true
				close(ready)
			}
		}
		_ = s.cmd.Wait()
	}()
	select {
	case <-ready:
	case <-s.exited:
		t.Fatalf("seltzer serve ended at once:\n%s", s.log)
	case <-time.After(60 * time.Second):
		t.Fatalf("seltzer serve is not ready after a minute:\n%s", s.log)
	}
	return s
}

// freeAddress returns an address that a server may take, and take again after it ended.
func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := outside.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// kill ends the server as kill -9 does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// demoServer runs a server of the demo archive on a free port; or the cloud in small, in
// TestInTheCloud.
func demoServer(t testing.TB, flags ...string) *server {
	t.Helper()
	if inTheCloud != nil {
		return inTheCloud.server(t, flags)
	}
	return start(t, filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", new(logBuffer), flags...)
}

const demoID = "ivo://localhost/demo?starfield.fits"

func (s *server) demoFile() string { return filepath.Join(s.Data, "demo", "starfield.fits") }

// still is a client that follows no redirect.
var still = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// answer is an HTTP answer with its body read.
type answer struct {
	*http.Response
	Body string
}

func send(t testing.TB, client *http.Client, r *http.Request) answer {
	t.Helper()
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return answer{response, string(body)}
}

func request(t testing.TB, method, address string, form url.Values) *http.Request {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func get(t testing.TB, address string) answer {
	t.Helper()
	return send(t, still, request(t, http.MethodGet, address, nil))
}

func post(t testing.TB, address string, pairs ...string) answer {
	t.Helper()
	return send(t, still, request(t, http.MethodPost, address, values(pairs...)))
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// syncCut sends a sync request, follows it, and returns the final answer.
func (s *server) syncCut(t testing.TB, pairs ...string) answer {
	t.Helper()
	return send(t, http.DefaultClient, request(t, http.MethodGet, s.URL+"/sync?"+values(pairs...).Encode(), nil))
}

// asyncCut makes a job, waits for its end and returns its URL and phase.
func (s *server) asyncCut(t testing.TB, pairs ...string) (job, phase string) {
	t.Helper()
	made := post(t, s.URL+"/async", append(pairs, "PHASE", "RUN")...)
	if made.StatusCode != http.StatusSeeOther {
		t.Fatalf("POST /async: %s\n%s", made.Status, made.Body)
	}
	job = made.Header.Get("Location")
	return job, waitForEnd(t, job)
}

func waitForEnd(t testing.TB, job string) string {
	t.Helper()
	for range 20 {
		if doc := get(t, job+"?WAIT=-1"); doc.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s\n%s", job, doc.Status, doc.Body)
		}
		switch phase := get(t, job+"/phase").Body; phase {
		case "PENDING", "QUEUED", "EXECUTING":
		default:
			return phase
		}
	}
	t.Fatalf("%s does not end", job)
	return ""
}

// keep writes a cutout to a file.
func keep(t testing.TB, body string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cutout.fits")
	if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *server) String() string { return fmt.Sprintf("server of %s", s.URL) }
