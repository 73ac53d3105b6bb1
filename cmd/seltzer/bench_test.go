package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
)

// The service, measured beside the two floors that it stands on, in one run:
//
//	go test ./cmd/seltzer -run '^$' -bench . -benchtime 3s
//
// Each benchmark reports the median and the 99th percentile of one request in ms and the
// requests per second of all clients together.

// BenchmarkSync asks for 64² cutouts over loopback with keep-alive, each to the 303.
func BenchmarkSync(b *testing.B) {
	s := demoServer(b)
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			// 31.5 pixels of 0.4 arcsec around a pixel's centre: 64 × 64 pixels
			address := s.URL + "/sync?" + values("ID", demoID, "CIRCLE", "150.1163 2.2058 0.0035").Encode()
			drive(b, clients, http.StatusSeeOther, address)
		})
	}
}

// BenchmarkAsync makes the same cutouts by /async: a job is made with PHASE=RUN, WAIT blocks
// until it has ended, and its result redirects.
func BenchmarkAsync(b *testing.B) {
	s := demoServer(b)
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, CheckRedirect: still.CheckRedirect}
			defer client.CloseIdleConnections()
			ask := func(method, address string, status int) (answer, error) {
				r, err := http.NewRequestWithContext(b.Context(), method, address, nil)
				if err != nil {
					return answer{}, err
				}
				response, err := client.Do(r)
				if err != nil {
					return answer{}, err
				}
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err == nil && response.StatusCode != status {
					err = fmt.Errorf("%s %s: %s", method, address, response.Status)
				}
				return answer{response, string(body)}, err
			}
			query := values("ID", demoID, "CIRCLE", "150.1163 2.2058 0.0035", "PHASE", "RUN").Encode()
			measure(b, clients, func() error {
				made, err := ask(http.MethodPost, s.URL+"/async?"+query, http.StatusSeeOther)
				if err != nil {
					return err
				}
				job := made.Header.Get("Location")
				for {
					doc, err := ask(http.MethodGet, job+"?WAIT=20", http.StatusOK)
					if err != nil {
						return err
					}
					if strings.Contains(doc.Body, "<uws:phase>COMPLETED<") {
						break
					}
				}
				_, err = ask(http.MethodGet, job+"/results/result", http.StatusSeeOther)
				return err
			})
		})
	}
}

// BenchmarkFloorHTTP is the floor of the network: a server that answers 303 at once.
func BenchmarkFloorHTTP(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1/elsewhere")
		w.WriteHeader(http.StatusSeeOther)
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			drive(b, clients, http.StatusSeeOther, "http://"+l.Addr().String()+"/sync")
		})
	}
}

// BenchmarkFloorCommits is the floor of durability: the four commits of one job (created,
// claimed, completed, acknowledged), one after the other, each synced to the disk.
func BenchmarkFloorCommits(b *testing.B) {
	db, err := sqlitedb.Open(filepath.Join(b.TempDir(), "floor.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	write := func(statement string) error {
		return db.Write(b.Context(), func(ctx context.Context, tx *sqlitedb.Tx) error {
			_, err := tx.Exec(ctx, statement)
			return err
		})
	}
	if err := write("CREATE TABLE t (n INTEGER)"); err != nil {
		b.Fatal(err)
	}
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			measure(b, clients, func() error {
				for range 4 {
					if err := write("INSERT INTO t VALUES (1)"); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// drive sends the request from some clients at once and checks each answer's status.
func drive(b *testing.B, clients, status int, address string) {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: still.CheckRedirect,
	}
	defer client.CloseIdleConnections()
	measure(b, clients, func() error {
		response, err := client.Get(address)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.StatusCode != status {
			return fmt.Errorf("%s", response.Status)
		}
		return nil
	})
}

// measure does b.N requests in all from some clients at once.
func measure(b *testing.B, clients int, do func() error) {
	if err := do(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var mu sync.Mutex
	var times []time.Duration
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			var own []time.Duration
			for left.Add(-1) >= 0 {
				start := time.Now()
				if err := do(); err != nil {
					b.Error(err)
					return
				}
				own = append(own, time.Since(start))
			}
			mu.Lock()
			times = append(times, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(times[len(times)/2]), "p50-ms")
	b.ReportMetric(ms(times[len(times)*99/100]), "p99-ms")
	b.ReportMetric(float64(len(times))/elapsed.Seconds(), "req/s")
}
