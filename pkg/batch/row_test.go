package batch

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/ledger"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// FuzzRows: what is read as rows is written as the same rows; what is none ends with an
// error that says so, never in a panic.
func FuzzRows(f *testing.F) {
	one := (&row{Number: 1, Cutout: 1, Of: 1, Label: "M 31", ID: "ivo://x/y?a.fits", Params: []uws.Param{{Name: "STAMP", Value: "10 41 64 64"}}, RA: 10, Dec: 41, Place: true}).append(nil)
	two := (&row{Number: 2, Cutout: 3, Of: 4, Problem: "no position", Status: ledger.Failed}).append(one)
	many := (&row{Number: 3, Params: make([]uws.Param, maxParams+1)}).append(nil)
	for _, b := range [][]byte{one, two, two[:len(two)-1], many, {0xff, 0xff}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var again []byte
		var rows []*row
		for d := newRowReader(bytes.NewReader(in)); ; {
			r, err := d.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				if _, ok := errors.AsType[*fault.Error](err); !ok {
					t.Fatalf("%v is of no kind", err)
				}
				return
			}
			rows, again = append(rows, r), r.append(again)
		}
		d := newRowReader(bytes.NewReader(again))
		for i, want := range rows {
			got, err := d.next()
			if err != nil {
				t.Fatalf("row %d, written again: %v", i, err)
			}
			if !bytes.Equal(got.append(nil), want.append(nil)) {
				t.Fatalf("row %d: %s", i, cmp.Diff(want, got))
			}
		}
	})
}
