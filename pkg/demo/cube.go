package demo

import (
	"context"
	"io"
	"math"
	"math/rand/v2"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// The cube is the 13CO line of a disc that turns, as an interferometer would map it.
const (
	cubeSide, cubeChannels = 96, 40
	restFrequency          = 110.2013541e9 // Hz, 13CO (1-0)
	channelWidth           = -122.0e3      // Hz, about 0.33 km/s
)

func writeCube(ctx context.Context, w io.Writer) error {
	h := fits.NewPrimary(-32, []int64{cubeSide, cubeSide, cubeChannels})
	if err := setAll(h, []card{
		{"WCSAXES", 3, ""},
		{"CTYPE1", "RA---SIN", ""}, {"CTYPE2", "DEC--SIN", ""}, {"CTYPE3", "FREQ", ""},
		{"CUNIT1", "deg", ""}, {"CUNIT2", "deg", ""}, {"CUNIT3", "Hz", ""},
		{"CRVAL1", 83.8221, ""}, {"CRVAL2", -5.3911, ""}, {"CRVAL3", restFrequency, ""},
		{"CRPIX1", cubeSide/2 + 0.5, ""}, {"CRPIX2", cubeSide/2 + 0.5, ""}, {"CRPIX3", cubeChannels/2 + 0.5, ""},
		{"CDELT1", -2.0 / 3600, ""}, {"CDELT2", 2.0 / 3600, ""}, {"CDELT3", channelWidth, ""},
		{"RADESYS", "ICRS", ""}, {"SPECSYS", "BARYCENT", ""}, {"RESTFRQ", restFrequency, "[Hz] 13CO (1-0)"},
		{"OBJECT", "Seltzer demo disc", "made, not observed"}, {"TELESCOP", "none", "drawn by Seltzer"}, {"BUNIT", "K", ""},
	}); err != nil {
		return err
	}
	return fits.NewWriter(w).WriteHDU(ctx, h, cubeSide*cubeSide*cubeChannels*4, floats(drawCube()))
}

// drawCube draws a disc with a flat rotation curve: each position shines at its own velocity.
func drawCube() []float32 {
	const noise, turn, width = 0.15, 4.2, 0.7 // K, km/s, km/s
	random := rand.New(rand.NewPCG(13, 2026)) // #nosec G404 -- the same image each time
	s, c := math.Sincos(50 * math.Pi / 180)
	pixels := make([]float32, 0, cubeSide*cubeSide*cubeChannels)
	for channel := range cubeChannels {
		velocity := -(float64(channel) - (cubeChannels-1)/2.0) * channelWidth / restFrequency * 299792.458
		for y := range cubeSide {
			for x := range cubeSide {
				dx, dy := float64(x)-cubeSide/2+0.5, float64(y)-cubeSide/2+0.5
				u, v := c*dx+s*dy, (c*dy-s*dx)/0.6
				r := math.Hypot(u, v)
				shift := velocity - turn*u/math.Hypot(r, 6)
				line := 3 * math.Exp(-r/16) * math.Exp(-shift*shift/(2*width*width))
				pixels = append(pixels, float32(line+noise*random.NormFloat64()))
			}
		}
	}
	return pixels
}
