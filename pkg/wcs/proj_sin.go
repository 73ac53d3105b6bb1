package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// orthographic is SIN with ξ = η = 0: Paper II, section 5.1.5.
type orthographic struct{ zenithal }

// slant is the general SIN, the projection of a plane of antennas.
type slant struct {
	zenithal
	xi, eta float64
}

func newSIN(p params) (projection, error) {
	xi, eta := p.get(1, 0), p.get(2, 0)
	if xi == 0 && eta == 0 {
		return orthographic{}, nil
	}
	return slant{xi: xi, eta: eta}, nil
}

func (orthographic) sphere(x, y float64) (sky.Vec, bool) {
	z := 1 - x*x - y*y
	return sky.Vec{X: -y, Y: x, Z: math.Sqrt(z)}, z >= 0
}

func (orthographic) plane(v sky.Vec) (x, y float64, ok bool) {
	return v.Y, -v.X, v.Z >= 0
}

func (p slant) sphere(x, y float64) (v sky.Vec, ok bool) { return nearSide(x, y, p.xi, p.eta) }

// plane is equations 62 and 63; the far side is where the line of sight leaves the sphere.
func (p slant) plane(v sky.Vec) (x, y float64, ok bool) {
	t := v.X*v.X + v.Y*v.Y
	if v.Z > 0 {
		t /= 1 + v.Z
	} else {
		t = 1 - v.Z
	}
	return v.Y + p.xi*t, -v.X + p.eta*t, v.Z+p.xi*v.Y-p.eta*v.X >= 0
}

// nearSide returns the direction whose line of sight, which leans by (xi, eta) per radius
// of depth, meets the plane at (x, y), and of two the one nearer to the native pole: with
// the depth t = 1 − sin θ, x = Y + ξt, y = −X + ηt and X² + Y² + (1 − t)² = 1, so
// (1 + ξ² + η²) t² − 2 (1 + ξx + ηy) t + x² + y² = 0.
func nearSide(x, y, xi, eta float64) (v sky.Vec, ok bool) {
	a := 1 + xi*xi + eta*eta
	b := 1 + xi*x + eta*y
	c := x*x + y*y
	d := b*b - a*c
	if d < 0 {
		return v, false
	}
	root := math.Sqrt(d)
	t, far := (b-root)/a, (b+root)/a
	if b > 0 {
		t = c / (b + root) // without cancellation
	}
	if t < 0 {
		t = far
	}
	if !(t >= 0 && t <= 2) {
		return v, false
	}
	return sky.Vec{X: eta*t - y, Y: x - xi*t, Z: 1 - t}, true
}

// newNCP returns AIPS's north-celestial-pole projection, which is a slant SIN: Paper II,
// section 5.1.5, after equation 61.
func newNCP(p params) (projection, error) {
	sin, cos := sincosd(p.lat0)
	if sin == 0 {
		return nil, p.bad("its plane is parallel to the line of sight at the reference latitude 0")
	}
	return slant{eta: cos / sin}, nil
}
