package stencil

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// The rows come from scripts/golden/stencils.py, which computes otherwise and in 80 bits.
// There is no tolerance: the directions nearest to a border are 1e-9 degrees away.
func TestAgainstNumpy(t *testing.T) {
	f, err := os.Open("testdata/stencils.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2000 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for i, row := range rows[1:] {
		s, err := Parse(row[0])
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		lon, err1 := strconv.ParseFloat(row[1], 64)
		lat, err2 := strconv.ParseFloat(row[2], 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("row %d: %v, %v", i, err1, err2)
		}
		if got := s.Contains(sky.FromDegrees(lon, lat)); got != (row[3] == "1") {
			t.Errorf("%s contains (%s, %s) = %t, numpy says %s; distance %g", s, row[1], row[2], got, row[3], s.Distance(sky.FromDegrees(lon, lat)))
		}
	}
}
