package batch_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// heap samples the memory in use until stop, which returns the most in bytes.
func heap() (stop func() uint64) {
	var most atomic.Uint64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-end:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(end)
		<-ended
		return most.Load()
	}
}

// scattered is a manifest of n stamps at random places of images images.
func scattered(n, images, side int, reach float64) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString("ID,ra,dec,stamp,label\n")
	for i := range n {
		name := []string{"one", "two"}[r.IntN(2)]
		if images > 2 {
			name = fmt.Sprintf("image-%06d", r.IntN(images))
		}
		fmt.Fprintf(&b, "%s%s.fits,%.6f,%.6f,%d,row %d\n", prefix, name, 10+(r.Float64()-.5)*reach, 20+(r.Float64()-.5)*reach, side, i+1)
	}
	return b.String()
}

// BenchmarkPlan plans batches of several sizes: time and memory for a row must not grow.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{250_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				w := newWorld(b, 48)
				j := w.make(scattered(n, 2000, 8, 0.02))
				runtime.GC()
				stop := heap()
				began := time.Now()
				if err := w.worker().Work(b.Context(), w.inbox.take()[0]); err != nil {
					b.Fatal(err)
				}
				took := time.Since(began)
				most := stop()
				if j = w.get(j.ID); !j.Plan.Ready || j.Plan.Rows != int64(n) {
					b.Fatalf("the batch is not planned: %s %+v %+v", j.Phase, j.Failure, j.Plan)
				}
				b.ReportMetric(float64(n)/took.Seconds(), "rows/s")
				b.ReportMetric(float64(most)/1e6, "MB-peak")
				b.ReportMetric(float64(j.Plan.Parts), "parts")
				// One part of it is executed: no image of it is there.
				if err := w.worker().Work(b.Context(), uws.PartID(j.ID, 0)); err != nil {
					b.Fatal(err)
				}
				if p := w.get(uws.PartID(j.ID, 0)); p.Phase != uws.Completed {
					b.Fatalf("part 0 is %s: %+v", p.Phase, p.Failure)
				}
			}
		})
	}
}

// BenchmarkPart cuts stamps of 64 by 64 pixels out of two images, by one worker.
func BenchmarkPart(b *testing.B) {
	for _, form := range []string{"zip", "table"} {
		b.Run(form, func(b *testing.B) {
			w := newWorld(b, 2048)
			j := w.make(scattered(4000, 2, 64, 1.8), uws.Param{Name: "PACKAGE", Value: form})
			b.ResetTimer()
			rows := int64(0)
			for b.Loop() {
				began := time.Now()
				done := w.drive(j.ID)
				rows += done.Tally.Done
				b.ReportMetric(float64(done.Tally.Done)/time.Since(began).Seconds(), "stamps/s")
				b.StopTimer()
				j = w.make(scattered(4000, 2, 64, 1.8), uws.Param{Name: "PACKAGE", Value: form})
				b.StartTimer()
			}
			if rows == 0 {
				b.Error("no stamp was cut")
			}
		})
	}
}
