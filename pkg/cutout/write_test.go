package cutout

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
)

// rounds is a store that answers when all requests of a round have come, and counts rounds.
type rounds struct {
	io.ReaderAt
	want []int // requests of each round

	mu   sync.Mutex
	come int // of this round
	done int
	open chan struct{}
}

func (r *rounds) ReadAt(p []byte, offset int64) (int, error) {
	return r.ReadAtContext(context.Background(), p, offset)
}

func (r *rounds) ReadAtContext(ctx context.Context, p []byte, offset int64) (int, error) {
	r.mu.Lock()
	if r.open == nil {
		r.open = make(chan struct{})
	}
	open := r.open
	if r.come++; r.done < len(r.want) && r.come == r.want[r.done] {
		close(open)
		r.come, r.done, r.open = 0, r.done+1, nil
	}
	r.mu.Unlock()
	select {
	case <-open:
		return r.ReaderAt.ReadAt(p, offset)
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(10 * time.Second):
		return 0, errors.New("the other requests of the round did not come")
	}
}

// remote returns the file of these bytes in a bucket that answers in rounds; its headers are known.
func remote(t testing.TB, content []byte, want ...int) (*fits.File, *rounds) {
	t.Helper()
	known, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	r := &rounds{ReaderAt: bytes.NewReader(content), want: want}
	file, err := fits.OpenKnown(r, int64(len(content)), known.Index)
	if err != nil {
		t.Fatal(err)
	}
	file.Cost = fits.Bucket
	return file, r
}

// A cutout of a known exposure takes one round trip, whichever HDUs travel.
func TestOneRoundTrip(t *testing.T) {
	headers := append(exposure(afw), extension(5, 5)+"EXTNAME = 'PSF'\n", table+"EXTNAME = 'CATALOG'\n")
	content := makeBytes(t, headers...)
	circle := mustParse(t, "CIRCLE 10 20 0.0024")
	for _, tt := range []struct {
		detail Detail
		mask   Mask
		want   int // requests
	}{
		{DetailImage, MaskNone, 1}, {DetailPlanes, MaskNone, 3}, {DetailPlanes, MaskPlane, 3}, {DetailFull, MaskNaN, 5},
	} {
		file, store := remote(t, content, tt.want)
		request := Request{Stencil: circle, Detail: tt.detail, Mask: tt.mask, Source: source}
		plan, err := New(file, request)
		if err != nil {
			t.Fatal(err)
		}
		var got, want bytes.Buffer
		if _, err := plan.WriteTo(t.Context(), &got); err != nil || store.done != 1 || store.come > 0 {
			t.Errorf("detail %s, mask %s: %d rounds of %d requests and %d more: %v", tt.detail, tt.mask, store.done, tt.want, store.come, err)
		}
		plan, err = New(makeFile(t, headers...), request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.WriteTo(t.Context(), &want); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("detail %s, mask %s: the cutout of a local file differs: %v", tt.detail, tt.mask, err)
		}
	}
}

// What follows HDUs that are read twice is read ahead in its turn.
func TestTwoPassesAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("40 MB")
	}
	content := makeBytes(t, primary(), float(extension(5000, 2000))+"EXTNAME = 'IMAGE'\n", float(extension(50, 20))+"EXTNAME = 'PSF'\n")
	file, err := fits.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	section, err := pixel.ParseSection("[*,*]")
	if err != nil {
		t.Fatal(err)
	}
	hdu := 1
	var out [2]bytes.Buffer
	for i, cost := range []fits.Cost{fits.Local, fits.Bucket} {
		file.Cost = cost
		plan, err := New(file, Request{Pixels: section, HDU: &hdu, Detail: DetailFull})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.WriteTo(t.Context(), &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) || out[0].Len() < 40e6 {
		t.Errorf("%d bytes from a local file, %d from a bucket, or they differ", out[0].Len(), out[1].Len())
	}
}

// broken is a writer that fails after some bytes.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// Whatever ends a cutout early, its error is told and no read goes on.
func TestWriteToEndsEarly(t *testing.T) {
	content := makeBytes(t, exposure(afw)...)
	request := Request{Stencil: mustParse(t, "CIRCLE 10 20 0.0024")}
	for _, tt := range []struct {
		name string
		want error
		run  func(plan *Plan) error
		size []int // of the rounds
	}{
		{"the writer fails", io.ErrClosedPipe, func(plan *Plan) error {
			_, err := plan.WriteTo(t.Context(), &broken{6000})
			return err
		}, []int{3}},
		{"the request is given up", context.Canceled, func(plan *Plan) error {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			_, err := plan.WriteTo(ctx, io.Discard)
			return err
		}, nil},
	} {
		file, store := remote(t, content, tt.size...)
		plan, err := New(file, request)
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.run(plan); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if !slices.Equal(store.want[:store.done], tt.size) {
			t.Errorf("%s: %d rounds, want %v", tt.name, store.done, tt.size)
		}
	}
}
