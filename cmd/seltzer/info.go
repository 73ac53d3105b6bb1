package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

type info struct {
	Source string `arg:"" help:"${source}"`
	JSON   bool   `help:"Write JSON."`
}

// Help is what seltzer info --help adds.
func (info) Help() string {
	return `
Lists what is in a FITS file by its headers alone: HDUs, shapes (NAXIS1 first), BITPIX,
compression, world coordinates, the footprint on the sky (ICRS degrees, corners of the image
counter-clockwise with north up and east left), pixel scale, BUNIT and photometric zero point.

    seltzer info image.fits
    seltzer info --json https://example.org/image.fits | jq '.hdus[].footprint'`
}

// fileInfo is the JSON of a file.
type fileInfo struct {
	Source     string    `json:"source"`
	Size       int64     `json:"size"` // bytes
	Generation string    `json:"generation"`
	Gzip       bool      `json:"gzip,omitempty"`
	HDUs       []hduInfo `json:"hdus"`
}

// hduInfo is the JSON of an HDU.
type hduInfo struct {
	HDU         int       `json:"hdu"` // from 0
	Name        string    `json:"name,omitempty"`
	Version     int64     `json:"version,omitempty"`
	Kind        string    `json:"kind"`
	BITPIX      int       `json:"bitpix,omitempty"`
	Shape       []int64   `json:"shape,omitempty"` // NAXIS1 first
	Compression string    `json:"compression,omitempty"`
	Tile        []int64   `json:"tile,omitempty"`
	Projection  string    `json:"projection,omitempty"`
	Frame       string    `json:"frame,omitempty"`
	PixelScale  float64   `json:"pixelScaleArcsec,omitempty"`
	Centre      []float64 `json:"centre,omitempty"`    // ra, dec of the middle of the image, ICRS degrees
	Footprint   []float64 `json:"footprint,omitempty"` // ra, dec of each corner, ICRS degrees
	BUNIT       string    `json:"bunit,omitempty"`
	ZeroPoint   *float64  `json:"zeroPoint,omitempty"` // mag
	Problem     string    `json:"problem,omitempty"`   // why the HDU cannot be cut
}

// Run lists the HDUs of a file.
func (c *info) Run(s *streams) error {
	source, err := openSource(context.Background(), c.Source)
	if err != nil {
		return err
	}
	defer source.close()
	f := fileInfo{Source: c.Source, Size: source.Source.Size(), Generation: source.Generation(), Gzip: source.Gzipped()}
	for _, u := range source.HDUs {
		f.HDUs = append(f.HDUs, describe(u))
	}
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(f)
	}
	return f.print(s.out)
}

func describe(u *fits.HDU) hduInfo {
	d := hduInfo{HDU: u.Number, Name: u.Name, Kind: u.Kind.String()}
	if u.Version != 1 {
		d.Version = u.Version
	}
	if u.Err != nil {
		d.Problem = fault.Sentence(u.Err)
		return d
	}
	if u.Kind != fits.Image && u.Kind != fits.TileCompressed {
		return d
	}
	d.BITPIX, d.Shape = u.BITPIX, u.Shape
	if u.Kind == fits.TileCompressed {
		d.Compression, _, _ = u.Header.Text("ZCMPTYPE")
		for i := range u.Shape {
			n, ok, err := u.Header.Int(fmt.Sprintf("ZTILE%d", i+1))
			if err != nil {
				break
			}
			if !ok { // FITS 4.0, section 10.1.1: rows
				n = 1
				if i == 0 {
					n = u.Shape[0]
				}
			}
			d.Tile = append(d.Tile, n)
		}
	}
	d.BUNIT, _, _ = u.Header.Text("BUNIT")
	d.ZeroPoint = zeroPoint(u.Header)
	if !u.Image() {
		return d
	}
	system, err := wcs.Parse(u.Header, len(u.Shape))
	if err != nil {
		if !errors.Is(err, wcs.NoSky) {
			d.Problem = fault.Sentence(err)
		}
		return d
	}
	d.Projection, d.Frame, d.PixelScale = system.Projection(), system.Frame(), system.PixelScale()*3600
	x, y := system.Axes()
	centre := []float64{float64(u.Shape[x]+1) / 2, float64(u.Shape[y]+1) / 2}
	if hidden, err := system.ToSky(centre, centre); err == nil && hidden == 0 {
		d.Centre = centre
	}
	d.Footprint, _ = cutout.Footprint(system, pixel.Whole(u.Shape))
	return d
}

// zeroPoints names the cards that hold a photometric zero point in mag, best known first.
var zeroPoints = []string{"MAGZERO", "MAGZPT", "MAGZP", "PHOTZP", "ZPTMAG", "ZEROPT", "ZP", "MAGZ", "MAGZRPT", "PHOTZPT"}

// zeroPoint returns the magnitude of one unit of the pixels, or nil.
func zeroPoint(h *fits.Header) *float64 {
	for _, key := range zeroPoints {
		if v, ok, err := h.Float(key); err == nil && ok && !math.IsNaN(v) {
			return &v
		}
	}
	if v, ok, err := h.Float("FLUXMAG0"); err == nil && ok && v > 0 { // LSST's afw: counts of magnitude 0
		v = 2.5 * math.Log10(v)
		return &v
	}
	return nil
}

func (f fileInfo) print(w io.Writer) error {
	gzip := ""
	if f.Gzip {
		gzip = ", gzip"
	}
	fmt.Fprintf(w, "%s: %d bytes%s\n", f.Source, f.Size, gzip)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HDU\tNAME\tKIND\tBITPIX\tSHAPE\tWCS\tPIXEL\tCENTRE\tBUNIT\tZERO POINT")
	var notes []string
	for _, d := range f.HDUs {
		row := []string{fmt.Sprint(d.HDU), d.Name, d.Kind, "", "", "", "", "", d.BUNIT, ""}
		if d.Version != 0 {
			row[1] = fmt.Sprintf("%s,%d", d.Name, d.Version)
		}
		if d.BITPIX != 0 {
			row[3] = fmt.Sprint(d.BITPIX)
		}
		row[4] = times(d.Shape)
		if d.Compression != "" {
			row[2] = fmt.Sprintf("%s, tiles of %s", d.Compression, times(d.Tile))
		}
		if d.Projection != "" {
			row[5] = d.Projection + " " + d.Frame
			row[6] = fmt.Sprintf(`%.4g"`, d.PixelScale)
		}
		if d.Centre != nil {
			row[7] = fmt.Sprintf("%.6f %+.6f", d.Centre[0], d.Centre[1])
		}
		if d.ZeroPoint != nil {
			row[9] = fmt.Sprintf("%.4f", *d.ZeroPoint)
		}
		for i := range row {
			row[i] = printable(row[i])
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
		if d.Footprint != nil {
			var corners []string
			for i := 0; i+1 < len(d.Footprint); i += 2 {
				corners = append(corners, fmt.Sprintf("%.6f %+.6f", d.Footprint[i], d.Footprint[i+1]))
			}
			notes = append(notes, fmt.Sprintf("HDU %d covers %s", d.HDU, strings.Join(corners, ", ")))
		}
		if d.Problem != "" {
			notes = append(notes, printable(fmt.Sprintf("HDU %d cannot be cut: %s", d.HDU, d.Problem)))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

// printable replaces what a header could do to a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

func times(shape []int64) string {
	var s []string
	for _, n := range shape {
		s = append(s, fmt.Sprint(n))
	}
	return strings.Join(s, " × ")
}
