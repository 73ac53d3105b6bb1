package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// mol is Mollweide's projection: Paper II, section 5.3.3.
type mol struct{ cylindrical }

func newMOL(params) (projection, error) { return mol{}, nil }

func (mol) sphere(x, y float64) (v sky.Vec, ok bool) {
	const tolerance = 1e-12
	r2 := 2 - y*y
	if r2 < -tolerance {
		return v, false
	}
	r := math.Sqrt(max(0, r2))
	gamma, ok := sine(y / math.Sqrt2)
	if !ok {
		return v, false
	}
	s, ok := sine((2*math.Asin(gamma) + y*r) / math.Pi)
	if !ok {
		return v, false
	}
	theta := math.Asin(s)
	if r2 <= tolerance {
		return sky.Vec{Z: math.Copysign(1, y)}, math.Abs(x) < tolerance
	}
	return native(math.Pi*x/(2*r), theta)
}

// plane solves equation 100, 2γ + sin 2γ = π sin θ, for δ = π − 2|γ|, which keeps its
// digits at the poles: δ − sin δ = π (1 − |sin θ|).
func (mol) plane(v sky.Vec) (x, y float64, ok bool) {
	h2 := v.X*v.X + v.Y*v.Y
	delta, ok := solve(math.Pi*h2/(1+math.Abs(v.Z)), 0, math.Pi, arcLessSine)
	sin, cos := math.Sincos(delta / 2)
	return 2 * math.Sqrt2 / math.Pi * math.Atan2(v.Y, v.X) * sin, math.Copysign(math.Sqrt2*cos, v.Z), ok
}

// arcLessSine returns d − sin d and its derivative.
func arcLessSine(d float64) (value, slope float64) {
	s := math.Sin(d / 2)
	slope = 2 * s * s
	if d > 0.5 {
		return d - math.Sin(d), slope
	}
	q := d * d
	return d * q / 6 * (1 - q/20*(1-q/42*(1-q/72*(1-q/110*(1-q/156*(1-q/210)))))), slope
}
