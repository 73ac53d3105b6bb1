// Command batch measures a batch of stamps on seltzer serve, in one run beside a loop of sync
// requests and beside a script of Python, and what the batch does to people who wait.
// scripts/bench/batch/run makes the images and calls it.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	seltzer = flag.String("seltzer", "", "the command")
	images  = flag.String("images", "", "folder of make_images.py")
	work    = flag.String("work", "", "folder for data, which is made and deleted")
	python  = flag.String("python", "/usr/bin/python3", "with astropy and fitsio")
	rows    = flag.Int("rows", 100_000, "rows of the manifest")
	form    = flag.String("package", "zip", "form of the results")
	side    = flag.Int("side", 64, "pixels of a stamp")
	scale   = flag.Float64("field", 0.2, "degrees of an image's side that positions are in")
	peer    = flag.Int("peer", 20_000, "rows of the script of Python; 0: none")
	loop    = flag.Int("loop", 300, "sync requests of the loop")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "batch:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := os.MkdirAll(*work, 0o750); err != nil {
		return err
	}
	defer os.RemoveAll(*work)
	catalogue, err := manifest(filepath.Join(*work, "rows.csv"), *rows)
	if err != nil {
		return err
	}
	// #nosec G204 -- programs that whoever measures names
	server := exec.CommandContext(ctx, *seltzer, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(*work, "data"), "--archive", "bench="+*images)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	said, err := server.StderrPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer func() { cancel(); err = errors.Join(err, ignoreExit(server.Wait())) }()
	var base string
	lines := bufio.NewScanner(said)
	for base == "" && lines.Scan() {
		if m := regexp.MustCompile(`listening on (\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			base = m[1]
		}
	}
	if base == "" {
		return errors.New("the server does not say where it listens")
	}
	go func() {
		for lines.Scan() {
			if strings.Contains(lines.Text(), "level=ERROR") || strings.Contains(lines.Text(), "level=WARN") {
				fmt.Fprintln(os.Stderr, lines.Text())
			}
		}
	}()
	fmt.Printf("%d rows, stamps of %d², package %s, load before %s\n", *rows, *side, *form, load())

	// A loop of sync requests, one after the other, each with its stamp.
	start := time.Now()
	quiet := sync(base, catalogue, *loop, 0, nil)
	rate := float64(*loop) / time.Since(start).Seconds()
	fmt.Printf("loop of %d sync requests: %.1f stamps/s, p50 %.1f ms, p99 %.1f ms\n", *loop, rate, quantile(quiet, 0.5), quantile(quiet, 0.99))
	before := sync(base, catalogue, *loop/3, 50*time.Millisecond, nil)
	fmt.Printf("one person, a request each 50 ms: p50 %.1f ms, p99 %.1f ms\n", quantile(before, 0.5), quantile(before, 0.99))

	readBefore, cpuBefore := counted(server.Process.Pid)
	start = time.Now()
	// #nosec G204 -- programs that whoever measures names
	job, err := exec.CommandContext(ctx, *seltzer, "submit", filepath.Join(*work, "rows.csv"), "--url", base, "--package", *form, "-o", fmt.Sprintf("STAMP=%d", *side), "-o", "PAD=nan").Output()
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	done := make(chan struct{})
	people := make(chan []float64)
	go func() { people <- sync(base, catalogue, 1<<30, 50*time.Millisecond, done) }()
	state, planned, err := follow(strings.TrimSpace(string(job)), start)
	took := time.Since(start)
	close(done)
	during := <-people
	if err != nil {
		return err
	}
	read, cpu := counted(server.Process.Pid)
	seen := state.Rows.Done + state.Rows.Empty + state.Rows.Failed
	ours := float64(state.Rows.Done) / took.Seconds()
	fmt.Printf("batch: %s after %.1f s (planned after %.1f s): %d cut, %d empty, %d failed of %d; load %s\n", state.Phase, took.Seconds(), planned.Seconds(), state.Rows.Done, state.Rows.Empty, state.Rows.Failed, seen, load())
	fmt.Printf("batch: %.0f stamps/s, %.0f µs of CPU and %.1f kB read for a stamp, %.1f kB of cutout, peak memory %d MB\n", ours,
		(cpu-cpuBefore)*1e6/float64(seen), float64(read-readBefore)/float64(seen)/1e3, float64(state.Rows.Bytes)/float64(max(state.Rows.Done, 1))/1e3, peak(server.Process.Pid))
	fmt.Printf("one person meanwhile: %d requests, p50 %.1f ms, p99 %.1f ms: p50 is %.1f × that before\n", len(during), quantile(during, 0.5), quantile(during, 0.99), quantile(during, 0.5)/quantile(before, 0.5))
	fmt.Printf("batch / loop: %.1f ×\n", ours/rate)
	if state.Phase != "COMPLETED" || seen != int64(*rows) || state.Rows.Failed > 0 {
		return fmt.Errorf("the batch ended as %s with %d rows seen and %d failed", state.Phase, seen, state.Rows.Failed)
	}
	if *peer == 0 {
		return nil
	}
	if _, err := manifest(filepath.Join(*work, "peer.csv"), *peer); err != nil {
		return err
	}
	// #nosec G204 -- programs that whoever measures names
	out, err := exec.CommandContext(ctx, *python, "scripts/bench/batch/peer.py", *images, filepath.Join(*work, "peer.csv"), filepath.Join(*work, "stamps"), strconv.Itoa(*side)).Output()
	if err != nil {
		return fmt.Errorf("peer.py: %w", err)
	}
	var n int
	var seconds float64
	if _, err := fmt.Sscan(string(out), &n, &seconds); err != nil {
		return err
	}
	fmt.Printf("script of Python, %d processes: %d stamps in %.1f s, %.0f stamps/s; load %s\nbatch / script: %.1f ×\n", runtime.NumCPU(), n, seconds, float64(n)/seconds, load(), ours/(float64(n)/seconds))
	return nil
}

func ignoreExit(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil // it was interrupted
	}
	return err
}

// place is a row.
type place struct {
	id      string
	ra, dec float64
}

// manifest writes n rows at random, the same for the same n.
func manifest(file string, n int) (places []place, err error) {
	text, err := os.ReadFile(filepath.Join(*images, "images.json"))
	if err != nil {
		return nil, err
	}
	var all []struct {
		Name    string
		RA, Dec float64
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, "ID,ra,dec,label")
	random := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- the same places each time
	for i := range n {
		m := all[random.IntN(len(all))]
		p := place{"ivo://localhost/bench?" + m.Name, m.RA + (random.Float64()-0.5)**scale, m.Dec + (random.Float64()-0.5)**scale}
		places = append(places, p)
		fmt.Fprintf(&b, "%s,%v,%v,s%d\n", p.id, p.ra, p.dec, i)
	}
	return places, os.WriteFile(file, b.Bytes(), 0o600)
}

// sync asks for stamps one after the other, and returns how long each took in ms.
func sync(base string, places []place, n int, pause time.Duration, done <-chan struct{}) (ms []float64) {
	random := rand.New(rand.NewPCG(3, 4)) // #nosec G404 -- the same places each time
	for range n {
		p := places[random.IntN(len(places))]
		start := time.Now()
		answer, err := http.Get(base + "/sync?" + url.Values{"ID": {p.id}, "STAMP": {fmt.Sprintf("%v %v %d %d", p.ra, p.dec, *side, *side)}, "PAD": {"nan"}}.Encode())
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		if err != nil || answer.StatusCode != http.StatusOK {
			fmt.Fprintln(os.Stderr, "sync:", err, answer)
		}
		ms = append(ms, float64(time.Since(start).Microseconds())/1e3)
		select {
		case <-done:
			return ms
		case <-time.After(pause):
		}
	}
	return ms
}

type job struct {
	Phase string `xml:"phase"`
	Rows  struct {
		Of     int64 `xml:"of,attr"`
		Done   int64 `xml:"done,attr"`
		Empty  int64 `xml:"empty,attr"`
		Failed int64 `xml:"failed,attr"`
		Bytes  int64 `xml:"bytes,attr"`
	} `xml:"jobInfo>rows"`
}

// follow watches a job until it ends.
func follow(at string, start time.Time) (j job, planned time.Duration, err error) {
	for {
		answer, err := http.Get(at) // #nosec G107 -- a job of the server that was started
		if err != nil {
			return j, planned, err
		}
		err = xml.NewDecoder(answer.Body).Decode(&j)
		_ = answer.Body.Close()
		if err != nil {
			return j, planned, err
		}
		if planned == 0 && j.Rows.Of > 0 {
			planned = time.Since(start)
		}
		if slices.Contains([]string{"COMPLETED", "ERROR", "ABORTED"}, j.Phase) {
			return j, planned, nil
		}
		time.Sleep(250 * time.Millisecond)
	}
}

func quantile(ms []float64, q float64) float64 {
	if len(ms) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(ms))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// peak returns the most memory that a process had, in MB.
func peak(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return kb / 1000
}

// counted returns the bytes that a process has read, files and sockets, and its seconds of CPU.
func counted(pid int) (read int64, cpu float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if m := regexp.MustCompile(`rchar: (\d+)`).FindSubmatch(text); m != nil {
		read, _ = strconv.ParseInt(string(m[1]), 10, 64)
	}
	text, _ = os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if _, rest, ok := strings.Cut(string(text), ") "); ok {
		f := strings.Fields(rest)
		for _, ticks := range f[11:13] {
			n, _ := strconv.ParseFloat(ticks, 64)
			cpu += n / 100
		}
	}
	return read, cpu
}

func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(text), " ")
	return cmp.Or(one, "-")
}
