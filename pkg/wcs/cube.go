package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// The quadrilateralised spherical cubes lay six faces out in the shape of a T: Paper II,
// section 5.6. A face is 90 degrees wide; inside, (u, v) run from -1 to 1.

const faceHalf = math.Pi / 4

// faceCentre holds the centres of the faces in units of half a face.
var faceCentre = [6][2]float64{{0, 2}, {0, 0}, {2, 0}, {4, 0}, {6, 0}, {0, -2}}

// faceAt returns the face that holds a point of the plane, and the place on it.
func faceAt(x, y float64) (face int, u, v float64, ok bool) {
	u, v = x/faceHalf, y/faceHalf
	if math.Abs(u) <= 1 && math.Abs(v) > 3 || math.Abs(u) > 1 && (math.Abs(u) > 7 || math.Abs(v) > 1) {
		return 0, 0, 0, false
	}
	if u < -1 {
		u += 8
	}
	switch {
	case u > 5:
		face = 4
	case u > 3:
		face = 3
	case u > 1:
		face = 2
	case v > 1:
		face = 0
	case v < -1:
		face = 5
	default:
		face = 1
	}
	return face, u - faceCentre[face][0], v - faceCentre[face][1], true
}

// facePoint is the inverse of faceAt.
func facePoint(face int, u, v float64) (x, y float64, ok bool) {
	const tolerance = 1e-12
	if math.Abs(u) > 1+tolerance || math.Abs(v) > 1+tolerance {
		return 0, 0, false
	}
	u, v = min(max(u, -1), 1), min(max(v, -1), 1)
	return (faceCentre[face][0] + u) * faceHalf, (faceCentre[face][1] + v) * faceHalf, true
}

// faceOf returns the face that a direction belongs to and its components along the face's
// own axes: zeta is the one out of the face.
func faceOf(d sky.Vec) (face int, xi, eta, zeta float64) {
	l, m, n := d.X, d.Y, d.Z
	zeta = n
	for i, z := range [...]float64{l, m, -l, -m, -n} {
		if z > zeta {
			face, zeta = i+1, z
		}
	}
	switch face {
	case 0:
		return face, m, -l, zeta
	case 1:
		return face, m, n, zeta
	case 2:
		return face, -l, n, zeta
	case 3:
		return face, -m, n, zeta
	case 4:
		return face, l, n, zeta
	}
	return face, m, l, zeta
}

// faceVec is the inverse of faceOf.
func faceVec(face int, xi, eta, zeta float64) sky.Vec {
	switch face {
	case 0:
		return sky.Vec{X: -eta, Y: xi, Z: zeta}
	case 1:
		return sky.Vec{X: zeta, Y: xi, Z: eta}
	case 2:
		return sky.Vec{X: -xi, Y: zeta, Z: eta}
	case 3:
		return sky.Vec{X: -zeta, Y: -xi, Z: eta}
	case 4:
		return sky.Vec{X: xi, Y: -zeta, Z: eta}
	}
	return sky.Vec{X: eta, Y: xi, Z: -zeta}
}
