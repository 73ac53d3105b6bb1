package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

type wcsCommand struct {
	ToSky   toSky   `cmd:"" help:"Pixels to sky: lines of x y in, lines of ra dec out."`
	ToPixel toPixel `cmd:"" help:"Sky to pixels: lines of ra dec in, lines of x y out."`
}

// mapping is what both directions take.
type mapping struct {
	Source string `arg:"" help:"${source}"`
	HDU    *int   `name:"hdu" placeholder:"N" help:"HDU whose world coordinates are meant, counted from 0 (the first image that has any)."`
}

const wcsHelp = `
Reads pairs of numbers from standard input, one pair a line, and writes one line for each,
with all digits. Pixels are those of FITS: the centre of the first is at 1. Positions are
ICRS; degrees are read and written, and sexagesimal positions are read too. Where there is
no sky or no pixel the line is "nan nan". Empty lines and lines that begin with # are passed.`

type toSky struct{ mapping }

// Help is what seltzer wcs to-sky --help adds.
func (toSky) Help() string {
	return wcsHelp + "\n\n    echo '1 1' | seltzer wcs to-sky image.fits"
}

// Run maps pixels to the sky.
func (c *toSky) Run(s *streams) error {
	number := func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }
	return c.run(s, number, number, (*wcs.System).ToSky)
}

type toPixel struct{ mapping }

// Help is what seltzer wcs to-pixel --help adds.
func (toPixel) Help() string {
	return wcsHelp + "\n\n    echo '10:00:28 +02:12:21' | seltzer wcs to-pixel image.fits"
}

// Run maps the sky to pixels.
func (c *toPixel) Run(s *streams) error {
	return c.run(s, sky.ParseLongitude, sky.ParseLatitude, (*wcs.System).ToPixel)
}

type parser func(string) (float64, error)

func (c *mapping) run(s *streams, first, second parser, convert func(*wcs.System, []float64, []float64) (int, error)) error {
	source, err := openSource(context.Background(), c.Source)
	if err != nil {
		return err
	}
	defer source.close()
	_, system, err := source.skyHDU(c.HDU)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.out)
	lines := bufio.NewReader(s.in)
	for n := 1; ; n++ {
		line, readErr := lines.ReadString('\n')
		if err := convertLine(out, line, first, second, func(p []float64) (int, error) { return convert(system, p, p) }); err != nil {
			_ = out.Flush() // what was right so far
			return fault.New(fault.Usage, "", "line %d of standard input: %w", n, err)
		}
		if readErr == io.EOF {
			return out.Flush()
		}
		if readErr != nil {
			return fault.New(fault.Usage, "", "standard input cannot be read: %w", readErr)
		}
		if lines.Buffered() == 0 { // whoever writes the lines may wait for the answer
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// convertLine writes the answer to one line; empty lines and comments have none.
func convertLine(out io.Writer, line string, first, second parser, convert func([]float64) (int, error)) (err error) {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return nil
	}
	if len(fields) != 2 {
		return fmt.Errorf("it has %d words; want two numbers", len(fields))
	}
	var pair [2]float64
	for i, parse := range []parser{first, second} {
		if pair[i], err = parse(fields[i]); err != nil {
			return err
		}
	}
	if _, err := convert(pair[:]); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, digits(pair[0]), digits(pair[1]))
	return err
}

// digits writes a number with as many digits as it takes to read the same number back.
func digits(v float64) string {
	if math.IsNaN(v) {
		return "nan"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
