package wcs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/outside"
)

// header is a Keywords for tests: values as they stand on the card, strings in quotes.
type header map[string]string

func (h header) Float(key string) (float64, bool, error) {
	s, ok := h[key]
	if !ok || s == "" {
		return 0, false, nil
	}
	v, err := strconv.ParseFloat(strings.Replace(s, "D", "E", 1), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false, fault.New(fault.Corrupt, "header.Float", "%s = %s: want a number", key, s)
	}
	return v, true, nil
}

func (h header) Int(key string) (int64, bool, error) {
	s, ok := h[key]
	if !ok || s == "" {
		return 0, false, nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, false, fault.New(fault.Corrupt, "header.Int", "%s = %s: want an integer", key, s)
	}
	return v, true, nil
}

func (h header) Text(key string) (string, bool, error) {
	s, ok := h[key]
	if !ok || s == "" {
		return "", false, nil
	}
	if s[0] != '\'' {
		return "", false, fault.New(fault.Corrupt, "header.Text", "%s = %s: want a string", key, s)
	}
	return strings.TrimRight(strings.ReplaceAll(strings.Trim(s, "'"), "''", "'"), " "), true, nil
}

// with returns a copy with more cards, given as KEY=value; KEY= removes one.
func (h header) with(cards ...string) header {
	c := header{}
	for k, v := range h {
		c[k] = v
	}
	for _, s := range cards {
		k, v, _ := strings.Cut(s, "=")
		if v == "" {
			delete(c, k)
			continue
		}
		c[k] = v
	}
	return c
}

// card adds one card of 80 bytes or a line of text.
func (h header) card(s string) {
	if len(s) < 10 || s[8:10] != "= " {
		return
	}
	key, v := strings.TrimSpace(s[:8]), strings.TrimSpace(s[10:])
	if strings.HasPrefix(v, "'") {
		end := 1
		for end < len(v) && (v[end] != '\'' || end+1 < len(v) && v[end+1] == '\'') {
			if v[end] == '\'' {
				end++
			}
			end++
		}
		v = v[:min(end+1, len(v))]
	} else {
		v, _, _ = strings.Cut(v, "/")
		v = strings.TrimSpace(v)
	}
	h[key] = v
}

func (h header) number(key string, otherwise int) int {
	if v, ok, err := h.Int(key); ok && err == nil {
		return int(v)
	}
	return otherwise
}

// readHeaders returns the headers of the HDUs of a FITS file, or the one header in a text
// file.
func readHeaders(path string) ([]header, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if b, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	if filepath.Base(filepath.Dir(path)) == "hdr" {
		h := header{}
		if bytes.Contains(b[:min(200, len(b))], []byte("\n")) {
			for line := range strings.Lines(string(b)) {
				h.card(strings.TrimRight(line, "\r\n"))
			}
		} else {
			for ; len(b) > 0; b = b[min(80, len(b)):] {
				h.card(string(b[:min(80, len(b))]))
			}
		}
		return []header{h}, nil
	}
	var all []header
	for len(b) >= 2880 {
		h, n := header{}, 0
		for n+80 <= len(b) {
			s := string(b[n : n+80])
			n += 80
			if strings.TrimSpace(s) == "END" {
				break
			}
			h.card(s)
		}
		all = append(all, h)
		size := 0
		if naxis := h.number("NAXIS", 0); naxis > 0 {
			size = 1
			for i := range naxis {
				size *= h.number(fmt.Sprintf("NAXIS%d", i+1), 0)
			}
			size = (size + h.number("PCOUNT", 0)) * h.number("GCOUNT", 1) * max(h.number("BITPIX", 8), -h.number("BITPIX", 8)) / 8
		}
		b = b[min(len(b), (n+2879)/2880*2880+(size+2879)/2880*2880):]
	}
	return all, nil
}

// realFolder returns the folder of real images, or skips the test.
func realFolder(t *testing.T) string {
	t.Helper()
	return filepath.Join(outside.Images(t), "real")
}
