package emulated

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// How long a sync cutout takes, from the request to the last byte, for some clients at once.
// Of this some 0.1 s is the emulator's, which posts messages in ticks.
func BenchmarkSync(b *testing.B) {
	c := start(b)
	form := values("ID", starfield, "CIRCLE", inside)
	ask(b, &http.Client{Timeout: patience}, http.MethodGet, c.URL+"/sync", form) // sets the functions up
	for _, clients := range []int{1, 8} {
		b.Run(strconv.Itoa(clients)+" clients", func(b *testing.B) {
			var mu sync.Mutex
			var times []time.Duration
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					client := &http.Client{Timeout: patience}
					for range (b.N + clients - 1) / clients {
						began := time.Now()
						if answer, text := ask(b, client, http.MethodGet, c.URL+"/sync", form); answer.StatusCode != http.StatusOK {
							b.Errorf("%s\n%.500s", answer.Status, text)
						}
						mu.Lock()
						times = append(times, time.Since(began))
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Milliseconds()), "p50-ms")
			b.ReportMetric(float64(times[len(times)*99/100].Milliseconds()), "p99-ms")
		})
	}
}
