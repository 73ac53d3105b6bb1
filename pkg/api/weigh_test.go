package api

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/auth"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/indexes"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// vast is a place of one image of 1 GiB, of which only the headers are there: who reads its
// pixels fails.
type vast struct{ objects.Root }

func (vast) String() string { return "gs://vast" }

// vastFile holds the header; all that follows is zeros.
type vastFile []byte

func (f vastFile) ReadAt(p []byte, offset int64) (int, error) {
	clear(p)
	if offset < int64(len(f)) {
		copy(p, f[offset:])
	}
	return len(p), nil
}

type vastResolver struct{ archive.Resolver }

func (vastResolver) Resolve(_ context.Context, id string, _ archive.Viewer) (*archive.Dataset, error) {
	return &archive.Dataset{ID: id, Public: true, Root: vast{}, Object: "vast.fits"}, nil
}

// Jobs are large by the number of their cutouts or, where the headers are known, by their bytes.
func TestLargeJobsAreBulk(t *testing.T) {
	header := fmt.Sprintf("%-80s%-80s%-80s%-80s%-80s%-80s", "SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2", "NAXIS1  =                32768", "NAXIS2  =                32768", "END")
	head := append([]byte(header), bytes.Repeat([]byte(" "), 2880-len(header))...)
	const size = 2880 + (1<<30+2879)/2880*2880
	s := &server{Config: Config{Archive: vastResolver{}, Indexes: indexes.New(1<<20, nil), Log: slog.New(slog.DiscardHandler)}}
	class := func(pairs ...string) uws.Class {
		t.Helper()
		params := []uws.Param{{Name: "ID", Value: "ivo://x/y?vast.fits"}}
		for i := 0; i < len(pairs); i += 2 {
			params = append(params, uws.Param{Name: pairs[i], Value: pairs[i+1]})
		}
		request, err := soda.Read(params)
		if err != nil {
			t.Fatal(err)
		}
		return s.weigh(t.Context(), auth.Caller{}, request).class
	}
	if got := class(); got != uws.Interactive {
		t.Errorf("an image of which nothing is known is %s", got)
	}
	x, err := fits.ReadIndex(vastFile(head), size)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	s.Indexes = indexes.New(1<<20, func(context.Context, indexes.Key) *fits.Index { asked++; return x })
	if got := class(); got != uws.Bulk || asked != 1 {
		t.Errorf("an image whose headers are held is %s after %d look-ups, want %s after 1", got, asked, uws.Bulk)
	}
	if class("PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2"); asked != 1 {
		t.Error("what is bulk by its number of cutouts is looked up")
	}
	s.Indexes = indexes.New(1<<20, func(ctx context.Context, _ indexes.Key) *fits.Index { <-ctx.Done(); return nil }) // ends in time, or the test does not
	if got := class(); got != uws.Interactive {
		t.Errorf("an image whose look-up does not answer is %s", got)
	}
	s.Indexes = indexes.New(1<<20, nil)
	d, _ := s.Archive.Resolve(t.Context(), "ivo://x/y?vast.fits", archive.Viewer{})
	if _, err := s.Indexes.Open(t.Context(), indexes.Key{Object: d.ID, Generation: "1"}, vastFile(head), size, fits.Local); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		pairs []string
		want  uws.Class
	}{
		{"the whole image", nil, uws.Bulk},
		{"a stamp", []string{"PIXELS", "1:100,1:100"}, uws.Interactive},
		{"a quarter", []string{"PIXELS", "*,1:8192"}, uws.Bulk},
		{"less than a quarter", []string{"PIXELS", "*,1:8100"}, uws.Interactive},
		{"two of these", []string{"PIXELS", "*,1:8100", "PIXELS", "*,1:8100"}, uws.Bulk},
		{"outside of it", []string{"PIXELS", "40000:40001,*"}, uws.Interactive},
		{"five stamps", []string{"PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2", "PIXELS", "1:2,1:2"}, uws.Bulk},
	} {
		if got := class(tt.pairs...); got != tt.want {
			t.Errorf("%s is %s, want %s", tt.name, got, tt.want)
		}
	}
}
