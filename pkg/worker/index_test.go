package worker

import (
	"bytes"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

// TestAWarmWorkerReadsNoHeader: of an object at a generation that it has cut before.
func TestAWarmWorkerReadsNoHeader(t *testing.T) {
	b := newBench(t, nil)
	st, err := stencil.Parse("CIRCLE 10 20 0.005")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{1, 0} { // requests for headers
		dataset := &archive.Dataset{Root: b.root, Object: "image.fits"}
		source, err := dataset.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		one := &cutting{Worker: b.Worker, dataset: dataset, source: source}
		plan, err := one.plan(t.Context(), cutout.Request{Stencil: st})
		if err != nil {
			t.Fatal(err)
		}
		if n := one.count.Requests(); n != want {
			t.Errorf("cut %d: %d requests of %d bytes before the pixels, want %d", i+1, n, one.count.Bytes(), want)
		}
		var out bytes.Buffer
		if _, err := plan.WriteTo(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if n := one.count.Requests(); n <= want || int64(out.Len()) != plan.Size() {
			t.Errorf("cut %d: %d requests in all, %d bytes written; want more than %d, and %d", i+1, n, out.Len(), want, plan.Size())
		}
	}
}
