package fits

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// realFiles returns the FITS files and headers of the folder that SELTZER_FITS names.
func realFiles(t testing.TB, patterns ...string) []string {
	t.Helper()
	root := outside.Images(t)
	var files []string
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(root, "real", p))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Fatalf("no file matches %q in SELTZER_FITS", patterns)
	}
	return files
}

var fitsPatterns = []string{"*.fits", "*.fit", "*.gz", "*.fz"}

// python runs a script by a Python that has astropy.
func python(t testing.TB, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), outside.Python(t, "astropy", "numpy"), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, stderr.Bytes())
	}
	return out
}

// open opens a file until the test ends.
func open(t testing.TB, name string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info.Size()
}

// asReadByAstropy is a line of scripts/golden/headers.py.
type asReadByAstropy struct {
	File string
	HDUs []struct {
		Header, Data, Size int64
		Bitpix             int
		Shape              []int64
		Cards              [][3]string
	}
}

func TestHeadersAsAstropyReadsThem(t *testing.T) {
	files := realFiles(t, append(slices.Clone(fitsPatterns), "hdr/*")...)
	out := python(t, append([]string{filepath.Join("..", "..", "scripts", "golden", "headers.py")}, files...)...)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, len(out)+1)
	lines.Scan()
	t.Logf("%s", lines.Bytes())
	var read, hdus, values int
	for lines.Scan() {
		var want asReadByAstropy
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		read++
		t.Run(filepath.Base(want.File), func(t *testing.T) {
			var headers []*Header
			if ext := filepath.Ext(want.File); ext == ".hdr" || ext == ".txt" {
				text, err := os.ReadFile(want.File)
				if err != nil {
					t.Fatal(err)
				}
				h, err := ParseText(string(text))
				if err != nil {
					t.Fatal(err)
				}
				headers = append(headers, h)
			} else {
				f, size := open(t, want.File)
				x, err := Open(f, size)
				if err != nil {
					t.Fatal(err)
				}
				if len(x.HDUs) != len(want.HDUs) {
					t.Fatalf("%d HDUs, want %d", len(x.HDUs), len(want.HDUs))
				}
				for i, u := range x.HDUs {
					w := want.HDUs[i]
					if u.HeaderOffset != w.Header || u.DataOffset != w.Data || u.DataSize != w.Size || !slices.Equal(u.Axes, w.Shape) {
						t.Errorf("%s: header %d, data %d, size %d, axes %d; want %d, %d, %d, %d",
							u, u.HeaderOffset, u.DataOffset, u.DataSize, u.Axes, w.Header, w.Data, w.Size, w.Shape)
					}
					if u.Kind != TileCompressed && u.BITPIX != w.Bitpix {
						t.Errorf("%s: BITPIX %d, want %d", u, u.BITPIX, w.Bitpix)
					}
					headers = append(headers, u.Header)
				}
			}
			for i, h := range headers {
				hdus++
				values += compareCards(t, h, want.HDUs[i].Cards)
			}
		})
	}
	if read != len(files) {
		t.Errorf("astropy read %d of %d files", read, len(files))
	}
	t.Logf("%d files, %d HDUs, %d values", read, hdus, values)
}

// astropyIsWrong says why a card is not compared, where astropy 5.2 loses its value; each was
// looked at.
func astropyIsWrong(keyword, value string) string {
	switch {
	case keyword == "MSKD0003":
		return "a quote written twice near the end of a CONTINUE card ends the string for astropy"
	case keyword == "FILTER" && strings.HasPrefix(value, " ='"):
		return `astropy takes "FILTER   ='0,0,0,0  '" for the text ='0,0,0,0  '`
	}
	return ""
}

// compareCards compares all cards with a value, in their order, and returns their number.
func compareCards(t *testing.T, h *Header, want [][3]string) (n int) {
	t.Helper()
	for i := 0; i < h.Len(); {
		e, cards := h.entryAt(i)
		v := e.value()
		keyword := h.cards[i].Keyword()
		i += cards
		if v.Kind == NoValue {
			continue
		}
		if n >= len(want) {
			t.Errorf("%s: more cards with values than the %d of astropy", keyword, len(want))
			return n
		}
		w := want[n]
		n++
		if reason := astropyIsWrong(keyword, w[2]); reason != "" {
			t.Logf("%s is not compared: %s", keyword, reason)
			continue
		}
		if !strings.EqualFold(keyword, w[0]) || !sameValue(v, w[1], w[2]) {
			t.Errorf("card %d: %s = %q (%s); want %s = %q (%s)", i, keyword, v.Text, v.Kind, w[0], w[2], w[1])
		}
	}
	if n != len(want) {
		t.Errorf("%d cards with values, want %d; the first one missing is %q", n, len(want), want[n])
	}
	return n
}

func sameValue(v Value, kind, text string) bool {
	if v.Kind == Malformed {
		return kind == "string" && v.Text == text // text without quotes, as in SKEW = 1.5, 2.5
	}
	if v.Kind.String() != kind {
		return false
	}
	switch v.Kind {
	case Real:
		got, err := parseFloat([]byte(v.Text))
		want, err2 := strconv.ParseFloat(text, 64)
		return err == nil && err2 == nil && math.Float64bits(got) == math.Float64bits(want)
	case Integer:
		got, ok := new(big.Int).SetString(string(appendNumber(nil, []byte(v.Text))), 10)
		return ok && got.String() == text
	case Complex, Undefined:
		return true
	}
	return v.Text == text
}
