package local

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fits"
	"github.com/seltzer-soda/seltzer/pkg/objects"
	"github.com/seltzer-soda/seltzer/pkg/wcs"
)

// Example is a request that gives a small cutout.
type Example struct{ ID, Circle string }

// Curl returns the shell command that sends the request to a service and keeps the answer.
func (e Example) Curl(publicURL string) string {
	return fmt.Sprintf("curl -sSfL -G %s --data-urlencode %s --data-urlencode %s -o cutout.fits",
		quote(publicURL+"/sync"), quote("ID="+e.ID), quote("CIRCLE="+e.Circle))
}

// quote writes text as one word of a shell's command: an ID is a file's name, and may hold
// anything.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// Example returns a request for the centre of the first image of the archives that has a
// sky; ok is false if none of the first few has.
func (s *Service) Example(ctx context.Context) (e Example, ok bool) {
	ids, err := s.archives.Examples(ctx, exampleLimit)
	if err != nil {
		return e, false
	}
	for _, id := range ids {
		if circle, err := s.centre(ctx, id); err == nil {
			return Example{ID: id, Circle: circle}, true
		}
	}
	return e, false
}

// centre returns a circle of about 32 pixels radius at the centre of an image.
func (s *Service) centre(ctx context.Context, id string) (string, error) {
	dataset, err := s.archives.Resolve(ctx, id)
	if err != nil {
		return "", err
	}
	source, err := dataset.Open(ctx)
	if err != nil {
		return "", err
	}
	defer source.Close()
	file, err := fits.Open(objects.Bind(ctx, source, nil), source.Size())
	if err != nil {
		return "", err
	}
	for _, u := range file.HDUs {
		if !u.Image() || u.Kind != fits.Image {
			continue
		}
		system, err := wcs.Parse(u.Header, len(u.Shape))
		if err != nil {
			continue
		}
		x, y := system.Axes()
		p := []float64{float64(u.Shape[x]+1) / 2, float64(u.Shape[y]+1) / 2}
		if hidden, err := system.ToSky(p, p); err != nil || hidden > 0 || math.IsNaN(p[0]) {
			continue
		}
		radius := min(32*system.PixelScale(), 45)
		return fmt.Sprintf("%.5f %.5f %.2g", p[0], p[1], radius), nil
	}
	return "", wcs.NoSky
}
