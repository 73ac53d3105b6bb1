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

// sphere solves equations 62 and 63, with the sine s of the native latitude as the
// unknown: x = Y + ξ(1 − s), y = −X + η(1 − s), X² + Y² + s² = 1. With t = 1 − s this is
// (1 + ξ² + η²) t² − 2 (1 + ξx + ηy) t + x² + y² = 0, and the smaller t is the near side.
func (p slant) sphere(x, y float64) (v sky.Vec, ok bool) {
	a := 1 + p.xi*p.xi + p.eta*p.eta
	b := 1 + p.xi*x + p.eta*y
	c := x*x + y*y
	d := b*b - a*c
	if d < 0 {
		return v, false
	}
	root := math.Sqrt(d)
	t := c / (b + root) // the smaller root, without cancellation
	if b < 0 {
		t = (b - root) / a
	}
	if !(t >= 0 && t <= 2) {
		if t = (b + root) / a; !(t >= 0 && t <= 2) {
			return v, false
		}
	}
	return sky.Vec{X: -(y - p.eta*t), Y: x - p.xi*t, Z: 1 - t}, true
}

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
