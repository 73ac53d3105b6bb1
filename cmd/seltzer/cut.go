package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/cutout"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/pixel"
	"github.com/seltzer-soda/seltzer/pkg/sky"
	"github.com/seltzer-soda/seltzer/pkg/soda"
	"github.com/seltzer-soda/seltzer/pkg/stencil"
)

type cut struct {
	Source   string `arg:"" help:"${source}"`
	Circle   string `group:"region" xor:"region" required:"" placeholder:"'RA DEC R'" help:"Circle: centre and radius."`
	Polygon  string `group:"region" xor:"region" required:"" placeholder:"'RA DEC …'" help:"Polygon of three vertices or more, joined by great circles; either winding means the smaller region."`
	Range    string `group:"region" xor:"region" required:"" placeholder:"'RA1 RA2 DEC1 DEC2'" help:"Range of right ascension and declination; -Inf and +Inf leave an end open, RA1 > RA2 crosses 0."`
	Pixels   string `group:"region" xor:"region" required:"" placeholder:"'[x1:x2,y1:y2]'" help:"Section of pixels as CFITSIO writes it: from 1, both ends included, * for a whole axis; axes that are not named stay whole."`
	Stamp    string `group:"region" xor:"region" required:"" placeholder:"'RA DEC NX NY'" help:"Box of NX × NY pixels around a place: an odd side is centred on the nearest pixel, an even one on the nearest edge between two."`
	Size     string `group:"region" xor:"region" required:"" placeholder:"'RA DEC W H'" help:"Box of the width W and the height H in the plane that touches the sky at a place, north up."`
	Mask     string `enum:"none,nan,plane" default:"none" placeholder:"MODE" help:"What becomes of pixels whose centres are outside of the region: none (they stay), nan (NaN, or BLANK in integers), plane (a bit OUTSIDE_STENCIL in the mask beside the image, or an image STENCIL)."`
	Detail   string `enum:"image,planes,full" default:"planes" placeholder:"WHICH" help:"Which HDUs travel: image, planes (errors, flags and weights too), full (tables and other attachments too)."`
	Pad      string `enum:"none,nan" default:"none" placeholder:"MODE" help:"Whether the cutout goes on beyond the edges of the image: none, or nan (NaN, or BLANK in integers; 0 or NO_DATA in masks). With --stamp it then has NX × NY pixels."`
	Compress string `enum:",none,gzip2,rice,asis" default:"" placeholder:"HOW" help:"How images are stored: none, gzip2 (tiles of GZIP_2, without loss), rice (tiles of RICE_1; floating-point pixels are rounded to a quarter of the noise), asis (the tiles of the source that the region touches, whole and unchanged). Without it images that are compressed in the source are compressed, without loss."`
	HDU      *int   `name:"hdu" placeholder:"N" help:"Cut this HDU only, counted from 0 (every image that the region touches; with --pixels the first image)."`
	Output   string `short:"o" required:"" placeholder:"OUT.fits" help:"File to write; - is standard output."`
	Force    bool   `short:"f" help:"Overwrite OUT.fits."`
}

// Help is what seltzer cut --help adds.
func (cut) Help() string {
	return `
Cuts the smallest box of whole pixels that covers the region, by the same engine as the
service. Pixels are copied bit by bit; the header tells where they come from. Images that
belong together, such as IMAGE, MASK and VARIANCE, are cut together.

Positions are ICRS, in degrees (150.1 2.2) or sexagesimal (10:00:24 +02:12:00, hours and
degrees). A radius takes a unit: 0.1deg, 6', 30", 6arcmin, 30arcsec; without one it is degrees.

    seltzer cut image.fits --circle '10:00:28 +02:12:21 30"' -o stamp.fits
    seltzer cut https://example.org/image.fits --polygon '150.1 2.2 150.2 2.2 150.15 2.3' -o p.fits
    seltzer cut image.fits --pixels '[101:200,1:50]' -o - | fitsverify -
    seltzer cut image.fits --stamp '150.1163 2.2058 64 64' --pad nan -o thumbnail.fits
    seltzer cut image.fits.fz --range '150 151 2 3' --compress asis -o region.fits
    seltzer cut image.fits --size '150.1163 2.2058 30" 20"' --mask nan -o box.fits

Exit status: 0 done, 1 it could not be done, 2 it was asked for wrongly, 3 the region and
the image have no pixel in common.`
}

// Run cuts.
func (c *cut) Run(s *streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	request, err := c.request()
	if err != nil {
		return err
	}
	if err := c.mayWrite(); err != nil {
		return err
	}
	source, err := openSource(ctx, c.Source)
	if err != nil {
		return err
	}
	defer source.close()
	request.Source = cutout.Provenance{
		Object: c.Source, Generation: source.Generation(), Version: version(), RequestText: c.text(request), Date: time.Now().UTC(),
	}
	plan, err := cutout.New(source.File, *request)
	if err != nil {
		return err
	}
	return c.write(s, plan.Size(), func(w io.Writer) error {
		_, err := plan.WriteTo(ctx, w)
		return err
	})
}

// text says what was asked for, as the service would be asked for it.
func (c *cut) text(r *cutout.Request) string {
	text := "PIXELS=" + c.Pixels
	switch {
	case c.Size != "":
		text = "SIZE=" + strings.Join(strings.Fields(c.Size), " ")
	case r.Stencil != nil:
		text = "POS=" + r.Stencil.String()
	case r.Stamp != nil:
		text = strings.Replace(r.Stamp.String(), " ", "=", 1)
	}
	for _, option := range []struct{ name, value, usual string }{{"MASK", c.Mask, "none"}, {"DETAIL", c.Detail, "planes"}, {"PAD", c.Pad, "none"}, {"COMPRESS", c.Compress, ""}} {
		if option.value != option.usual {
			text += " " + option.name + "=" + option.value
		}
	}
	return text
}

// request reads the region.
func (c *cut) request() (r *cutout.Request, err error) {
	r = &cutout.Request{HDU: c.HDU, Mask: cutout.Mask(c.Mask), Detail: cutout.Detail(c.Detail), Pad: cutout.Pad(c.Pad), Compress: cutout.Compress(c.Compress)}
	switch {
	case c.Stamp != "":
		r.Stamp, err = readStamp(c.Stamp)
	case c.Size != "":
		r.Stencil, err = readSize(c.Size)
	case c.Circle != "":
		r.Stencil, err = readRegion("CIRCLE", c.Circle, sky.ParseLongitude, sky.ParseLatitude, sky.ParseAngle)
	case c.Polygon != "":
		r.Stencil, err = readRegion("POLYGON", c.Polygon, sky.ParseLongitude, sky.ParseLatitude)
	case c.Range != "":
		r.Stencil, err = readRegion("RANGE", c.Range, openEnd(sky.ParseLongitude), openEnd(sky.ParseLongitude), openEnd(sky.ParseLatitude), openEnd(sky.ParseLatitude))
	default:
		r.Pixels, err = pixel.ParseSection(c.Pixels)
		if err != nil {
			err = fault.New(fault.Usage, "", "--pixels: %w", err)
		}
	}
	return r, err
}

// readRegion turns a region as people write it into one of SODA's.
func readRegion(shape, text string, parsers ...parser) (stencil.Stencil, error) {
	value, err := readNumbers(shape, text, parsers...)
	if err != nil {
		return nil, err
	}
	st, err := stencil.Parse(shape + " " + value)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "--%s %q: %s", strings.ToLower(shape), text, fault.Sentence(err))
	}
	return st, nil
}

// readNumbers turns numbers as people write them into degrees, separated by blanks: each
// word is read by its parser, in turn, from the first one again after the last.
func readNumbers(shape, text string, parsers ...parser) (string, error) {
	var numbers []string
	for i, word := range strings.Fields(strings.ReplaceAll(text, ",", " ")) {
		v, err := parsers[i%len(parsers)](word)
		if err != nil {
			return "", fault.New(fault.Usage, "", "--%s: %w", strings.ToLower(shape), err)
		}
		numbers = append(numbers, strconv.FormatFloat(v, 'f', -1, 64))
	}
	return strings.Join(numbers, " "), nil
}

// readSize reads a box on the sky.
func readSize(text string) (stencil.Stencil, error) {
	value, err := readNumbers("SIZE", text, sky.ParseLongitude, sky.ParseLatitude, sky.ParseAngle, sky.ParseAngle)
	if err != nil {
		return nil, err
	}
	st, err := stencil.ParseSize(value)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "--size %q: %s", text, fault.Sentence(err))
	}
	return st, nil
}

// readStamp reads a box of pixels around a place.
func readStamp(text string) (*cutout.Stamp, error) {
	count := func(word string) (float64, error) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q is no number of pixels", word)
		}
		return float64(n), nil
	}
	value, err := readNumbers("STAMP", text, sky.ParseLongitude, sky.ParseLatitude, count, count)
	if err != nil {
		return nil, err
	}
	s, err := soda.ParseStamp(value)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "--stamp %q: %s", text, fault.Sentence(err))
	}
	return (*cutout.Stamp)(&s), nil
}

// openEnd lets -Inf and +Inf through.
func openEnd(parse parser) parser {
	return func(word string) (float64, error) {
		switch strings.ToLower(word) {
		case "-inf", "+inf", "inf":
			return strconv.ParseFloat(word, 64)
		}
		return parse(word)
	}
}
