// Package sky holds directions on the celestial sphere and the angles between them.
//
// Directions are unit vectors: they have no seam at right ascension 0 and no pole where
// numbers pile up. Angles are degrees where a name or comment says so, else radians.
package sky

import "math"

// Degree is one degree in radians.
const Degree = math.Pi / 180

// Vec is a direction: a vector of length 1, X towards longitude 0 on the equator,
// Y towards longitude 90 degrees, Z towards the north pole.
type Vec struct{ X, Y, Z float64 }

// FromDegrees returns the direction of a longitude and a latitude in degrees. Latitudes
// beyond ±90 continue over the pole.
func FromDegrees(lon, lat float64) Vec {
	sa, ca := math.Sincos(lon * Degree)
	sd, cd := math.Sincos(lat * Degree)
	return Vec{cd * ca, cd * sa, sd}
}

// Degrees returns the longitude in [0, 360) and the latitude in [-90, 90] of v, in
// degrees. v need not be of length 1.
func (v Vec) Degrees() (lon, lat float64) {
	lon = math.Atan2(v.Y, v.X) / Degree
	if lon < 0 {
		lon += 360
	}
	if lon >= 360 { // -1e-20 + 360
		lon = 0
	}
	return lon, math.Atan2(v.Z, math.Hypot(v.X, v.Y)) / Degree
}

// Add returns v + w.
func (v Vec) Add(w Vec) Vec { return Vec{v.X + w.X, v.Y + w.Y, v.Z + w.Z} }

// Scale returns f times v.
func (v Vec) Scale(f float64) Vec { return Vec{f * v.X, f * v.Y, f * v.Z} }

// Dot returns the scalar product, the cosine of the angle between two directions.
func (v Vec) Dot(w Vec) float64 { return v.X*w.X + v.Y*w.Y + v.Z*w.Z }

// Cross returns the vector product.
func (v Vec) Cross(w Vec) Vec {
	return Vec{v.Y*w.Z - v.Z*w.Y, v.Z*w.X - v.X*w.Z, v.X*w.Y - v.Y*w.X}
}

// Norm returns the length of v.
func (v Vec) Norm() float64 { return math.Sqrt(v.Dot(v)) }

// Unit returns v scaled to length 1; the zero vector stays as it is.
func (v Vec) Unit() Vec {
	if n := v.Norm(); n > 0 {
		return v.Scale(1 / n)
	}
	return v
}

// Angle returns the angle between v and w in radians, exact to rounding for small and
// for large angles alike.
func (v Vec) Angle(w Vec) float64 { return math.Atan2(v.Cross(w).Norm(), v.Dot(w)) }

// Perpendicular returns two directions that form a right-handed frame with v: e × f = v.
func (v Vec) Perpendicular() (e, f Vec) {
	axis := Vec{X: 1}
	if math.Abs(v.X) > math.Abs(v.Y) {
		axis = Vec{Y: 1}
		if math.Abs(v.Y) > math.Abs(v.Z) {
			axis = Vec{Z: 1}
		}
	} else if math.Abs(v.X) > math.Abs(v.Z) {
		axis = Vec{Z: 1}
	}
	e = axis.Cross(v).Unit()
	return e, v.Cross(e)
}

// Between returns the direction at fraction t of the great circle from v to w, the
// shorter way. The two must not be opposite.
func (v Vec) Between(w Vec, t float64) Vec {
	e := v.Cross(w).Cross(v) // in the plane of v and w, a quarter circle from v towards w
	if e.Norm() == 0 {
		return v
	}
	s, c := math.Sincos(t * v.Angle(w))
	return v.Scale(c).Add(e.Unit().Scale(s)).Unit()
}

// Matrix is a rotation of directions, in rows.
type Matrix [3][3]float64

// Apply returns m times v.
func (m *Matrix) Apply(v Vec) Vec {
	return Vec{
		m[0][0]*v.X + m[0][1]*v.Y + m[0][2]*v.Z,
		m[1][0]*v.X + m[1][1]*v.Y + m[1][2]*v.Z,
		m[2][0]*v.X + m[2][1]*v.Y + m[2][2]*v.Z,
	}
}

// Transpose returns the transpose of m, which for a rotation is its inverse.
func (m *Matrix) Transpose() Matrix {
	var t Matrix
	for i := range 3 {
		for j := range 3 {
			t[i][j] = m[j][i]
		}
	}
	return t
}

// Times returns the product m·n: first n, then m.
func (m *Matrix) Times(n *Matrix) Matrix {
	var p Matrix
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				p[i][j] += m[i][k] * n[k][j]
			}
		}
	}
	return p
}
