package firestorejobs

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// How long a change takes to reach each of 500 who wait, one for each job, from the beginning
// of its write; and what one who waits takes of memory.
func BenchmarkWatchers(b *testing.B) {
	const n = 500
	s := open(b, (n+WatchersPerConnection-1)/WatchersPerConnection)
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var ready, ended sync.WaitGroup
	jobs, seen := make([]*uws.Job, n), make([]chan time.Time, n)
	for i := range n {
		jobs[i], seen[i] = create(b, s, newJob()), make(chan time.Time, 1)
		ready.Add(1)
		ended.Go(func() {
			for j, err := range s.Watch(ctx, jobs[i].ID) {
				switch {
				case err != nil && ctx.Err() == nil:
					b.Error(err)
				case err != nil:
				case j.Revision == 1:
					ready.Done()
				default:
					seen[i] <- time.Now()
				}
			}
		})
	}
	ready.Wait()
	runtime.GC()
	runtime.ReadMemStats(&after)
	var times []time.Duration
	for b.Loop() {
		for i, j := range jobs {
			began := time.Now()
			if _, err := s.Update(ctx, j.ID, func(_ time.Time, j *uws.Job) error { j.Progress.Done++; return nil }); err != nil {
				b.Fatal(err)
			}
			times = append(times, (<-seen[i]).Sub(began))
		}
	}
	stop()
	ended.Wait()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse)/n/1024, "KiB/watcher")
}
