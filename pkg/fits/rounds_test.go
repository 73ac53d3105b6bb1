package fits_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// distant is a store that answers each read after a second of a test's own time.
type distant struct{ io.ReaderAt }

func (d distant) ReadAt(p []byte, offset int64) (int, error) {
	time.Sleep(time.Second)
	return d.ReaderAt.ReadAt(p, offset)
}

// trips runs do and returns how many round trips it took.
func trips(t *testing.T, do func()) (n int) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		began := time.Now()
		do()
		n = int(time.Since(began) / time.Second)
	})
	return n
}

// exposure returns a file of three compressed images of the sizes of the field's pieces, and
// behind them many small tables.
func exposure(t *testing.T, random *rand.Rand) []byte {
	t.Helper()
	var b bytes.Buffer
	w := fits.NewWriter(&b)
	if err := w.WriteHDU(t.Context(), fits.NewPrimary(8, nil), 0, nil); err != nil {
		t.Fatal(err)
	}
	shape := []int64{3000, 700}
	for range 3 {
		if err := w.WriteCompressed(t.Context(), fits.NewImage(-32, shape), fits.Rice, inPieces(scenery(random, -32, 3000*700), random)); err != nil {
			t.Fatal(err)
		}
	}
	for range 30 {
		if err := w.WriteHDU(t.Context(), fits.NewImage(8, []int64{5000}), 5000, inPieces(make([]byte, 5000), random)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestRoundTripsOfCompressedImages(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	all := exposure(t, random)
	r := distant{bytes.NewReader(all)}
	var f *fits.File
	// The headers of the images, each of which tells where the next is; then the tables.
	if n := trips(t, func() {
		var err error
		if f, err = fits.Bucket.Open(r, int64(len(all))); err != nil {
			t.Error(err)
		}
	}); f == nil || n > 6 || len(f.HDUs) != 34 {
		t.Fatalf("the index took %d round trips, want 6 or fewer", n)
	}
	cold, err := fits.ReadIndex(bytes.NewReader(all), int64(len(all))) // which does not keep the tables of tiles
	if err != nil {
		t.Fatal(err)
	}
	kept, err := cold.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var x fits.Index
	if err := x.UnmarshalBinary(kept); err != nil {
		t.Fatal(err)
	}
	unknown, err := fits.OpenKnown(r, int64(len(all)), &x)
	if err != nil {
		t.Fatal(err)
	}
	unknown.Cost = fits.Bucket
	box := pixel.Box{Min: []int64{1000, 250}, Max: []int64{1300, 550}}
	local, err := fits.Open(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		file *fits.File
		most int
	}{{"tables read with the headers", f, 1}, {"nothing but headers", unknown, 2}, {"tables read for the last box", unknown, 1}} {
		var sections []*fits.Section
		for _, u := range tt.file.HDUs[1:4] {
			s, err := tt.file.Section(u, box)
			if err != nil {
				t.Fatal(err)
			}
			sections = append(sections, s)
		}
		n := trips(t, func() {
			a := fits.NewAhead(context.Background(), r, sections...)
			defer a.Close()
			for i, s := range sections {
				var got []byte
				if err := a.Stream(context.Background(), s, func(p []byte) error { got = append(got, p...); return nil }); err != nil {
					t.Error(err)
				}
				want, err := readBox(local, local.HDUs[1+i], box, fits.Local)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: image %d differs from what a local read gives, %v", tt.name, i, err)
				}
			}
		})
		t.Logf("%s: %d round trips", tt.name, n)
		if n > tt.most {
			t.Errorf("%s: three images took %d round trips, want %d", tt.name, n, tt.most)
		}
	}
}

// TestRoundTripsOfAMosaic: the headers of images of one size are asked for at once.
func TestRoundTripsOfAMosaic(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 2))
	var b bytes.Buffer
	w := fits.NewWriter(&b)
	if err := w.WriteHDU(t.Context(), fits.NewPrimary(8, nil), 0, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		shape := []int64{1000, 900}
		if i == 40 { // one is of another size: the guess fails once
			shape[1] = 700
		}
		n := shape[0] * shape[1]
		if err := w.WriteHDU(t.Context(), fits.NewImage(8, shape), n, inPieces(make([]byte, n), random)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		cost fits.Cost
		most int
	}{{"bucket", fits.Bucket, 14}, {"one request at a time", fits.Local, 61}} {
		n := trips(t, func() {
			f, err := tt.cost.Open(distant{bytes.NewReader(b.Bytes())}, int64(b.Len()))
			if err != nil || len(f.HDUs) != 61 {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
		t.Logf("%s: %d round trips", tt.name, n)
		if n > tt.most {
			t.Errorf("%s: the index took %d round trips, want %d or fewer", tt.name, n, tt.most)
		}
	}
}

// TestTilesOfEveryShapeAreReadTheSame: slabs and joined reads give what the whole image does.
func TestTilesOfEveryShapeAreReadTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	all := exposure(t, random)
	f, err := fits.Open(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := readBox(f, f.HDUs[1], pixel.Whole(f.HDUs[1].Shape), fits.Local)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		box := pixel.Whole(f.HDUs[1].Shape)
		for axis, n := range f.HDUs[1].Shape {
			box.Min[axis] = random.Int64N(n)
			box.Max[axis] = box.Min[axis] + 1 + random.Int64N(n-box.Min[axis])
		}
		got, err := readBox(f, f.HDUs[1], box, far)
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for y := box.Min[1]; y < box.Max[1]; y++ {
			want = append(want, whole[4*(y*3000+box.Min[0]):4*(y*3000+box.Max[0])]...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the whole image", box)
		}
	}
}

// reads counts the reads of a file.
type reads struct {
	io.ReaderAt
	n int
}

func (r *reads) ReadAt(p []byte, offset int64) (int, error) {
	r.n++
	return r.ReaderAt.ReadAt(p, offset)
}

func TestKeptTilesAreNotReadAgain(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	all := exposure(t, random)
	r := &reads{ReaderAt: bytes.NewReader(all)}
	f, err := fits.Open(r, int64(len(all)))
	if err != nil {
		t.Fatal(err)
	}
	box := pixel.Box{Min: []int64{1000, 250}, Max: []int64{1300, 550}}
	u := f.HDUs[2]
	want, err := readBox(f, u, box, fits.Local)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		limit int64
		again bool
	}{{64 << 20, false}, {100, true}} { // a limit below the size of a tile keeps none
		f.Tiles = fits.NewTileCache(tt.limit)
		for i := range 2 {
			r.n = 0
			got, err := readBox(f, u, box, fits.Local)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("limit %d, reading %d: not what is read without a cache, %v", tt.limit, i, err)
			}
		}
		if again := r.n > 1; again != tt.again { // one read is that of the table's rows
			t.Errorf("limit %d: the second time there were %d reads", tt.limit, r.n)
		}
		if other, err := readBox(f, f.HDUs[3], box, fits.Local); err != nil || bytes.Equal(other, want) {
			t.Errorf("limit %d: another image has the same pixels, %v", tt.limit, err)
		}
	}
}
