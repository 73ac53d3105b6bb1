package demo

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"

	"github.com/seltzer-soda/seltzer/pkg/fits"
)

// Shape and place of the star field: a tenth of a degree of sky in COSMOS, tilted a little.
const (
	side  = 1024
	scale = 0.4 / 3600 // degrees per pixel
	tilt  = 12.0       // degrees, north through east
	sky0  = 212.0      // electrons of background
)

// tanCards is a gnomonic WCS for the centre of an image of side × side pixels.
func tanCards() []card {
	s, c := math.Sincos(tilt * math.Pi / 180)
	return []card{
		{"WCSAXES", 2, ""},
		{"CTYPE1", "RA---TAN", ""}, {"CTYPE2", "DEC--TAN", ""},
		{"CUNIT1", "deg", ""}, {"CUNIT2", "deg", ""},
		{"CRVAL1", 150.1163, "[deg] right ascension of the reference pixel"},
		{"CRVAL2", 2.2058, "[deg] declination of the reference pixel"},
		{"CRPIX1", side/2 + 0.5, ""}, {"CRPIX2", side/2 + 0.5, ""},
		{"CD1_1", -scale * c, "[deg/pixel]"}, {"CD1_2", scale * s, "[deg/pixel]"},
		{"CD2_1", scale * s, "[deg/pixel]"}, {"CD2_2", scale * c, "[deg/pixel]"},
		{"RADESYS", "ICRS", ""},
	}
}

func writeStarfield(ctx context.Context, w io.Writer) error {
	h := fits.NewPrimary(-32, []int64{side, side})
	err := setAll(h, append(tanCards(),
		card{"OBJECT", "Seltzer demo field", "made, not observed"},
		card{"TELESCOP", "none", "drawn by Seltzer"},
		card{"FILTER", "r", ""},
		card{"EXPTIME", 120.0, "[s]"},
		card{"BUNIT", "electron", ""},
		card{"MAGZERO", 27.5, "[mag] of one electron in the whole exposure"},
	))
	if err != nil {
		return err
	}
	return fits.NewWriter(w).WriteHDU(ctx, h, side*side*4, floats(drawStarfield()))
}

// floats gives pixels as big-endian float32.
func floats(pixels []float32) fits.Data {
	return func(_ context.Context, emit func([]byte) error) error {
		b := make([]byte, 0, 4*len(pixels))
		for _, v := range pixels {
			b = binary.BigEndian.AppendUint32(b, math.Float32bits(v))
		}
		return emit(b)
	}
}

// drawStarfield draws stars with Moffat profiles, an exponential disc with a bulge, sky
// noise, and a patch of NaN where the detector was dead.
func drawStarfield() []float32 {
	random := rand.New(rand.NewPCG(20261, 1121)) // #nosec G404 -- the same image each time
	light := make([]float64, side*side)
	for range 1800 {
		flux := 150 * math.Pow(random.Float64()+1e-4, -1.1) // many faint, few bright
		star(light, random.Float64()*side, random.Float64()*side, flux)
	}
	galaxy(light, 0.56*side, 0.47*side)
	pixels := make([]float32, len(light))
	for i, e := range light {
		e += sky0
		pixels[i] = float32(e + math.Sqrt(e)*random.NormFloat64()) // photon noise
	}
	nan := float32(math.NaN())
	for y := 700; y < 730; y++ {
		for x := 180; x < 260; x++ {
			pixels[y*side+x] = nan
		}
	}
	return pixels
}

// star adds a Moffat profile (beta = 3) of the given flux, full width 3.2 pixels at half maximum.
func star(light []float64, x0, y0, flux float64) {
	const beta, alpha, reach = 3.0, 3.14, 24
	peak := flux * (beta - 1) / (math.Pi * alpha * alpha)
	for y := max(0, int(y0)-reach); y < min(side, int(y0)+reach); y++ {
		for x := max(0, int(x0)-reach); x < min(side, int(x0)+reach); x++ {
			dx, dy := float64(x)-x0, float64(y)-y0
			light[y*side+x] += peak * math.Pow(1+(dx*dx+dy*dy)/(alpha*alpha), -beta)
		}
	}
}

// galaxy adds an inclined exponential disc with two arms and a de Vaucouleurs bulge.
func galaxy(light []float64, x0, y0 float64) {
	s, c := math.Sincos(35 * math.Pi / 180)
	for y := range side {
		for x := range side {
			dx, dy := float64(x)-x0, float64(y)-y0
			u, v := c*dx+s*dy, (c*dy-s*dx)/0.55
			r := math.Hypot(u, v)
			arms := 1 + 0.45*math.Cos(2*math.Atan2(v, u)-4.5*math.Log1p(r/12))
			light[y*side+x] += 900*math.Exp(-r/38)*arms + 4200*math.Exp(-7.67*math.Pow(math.Hypot(dx, dy)/55+0.002, 0.25))
		}
	}
}
