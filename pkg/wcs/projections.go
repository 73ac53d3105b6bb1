package wcs

import (
	"fmt"
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// A projection maps native directions to the plane, whose coordinates (x, y) are in
// radians: Paper II, section 5, with r0 = 1. What is undefined on either side is that
// which wcslib's strict bounds leave undefined.
type projection interface {
	// theta0 is the native latitude of the fiducial point in degrees; its native
	// longitude is 0.
	theta0() float64
	// sphere returns the native direction of a point of the plane.
	sphere(x, y float64) (v sky.Vec, ok bool)
	// plane returns the point of a native direction, a vector of length 1.
	plane(v sky.Vec) (x, y float64, ok bool)
}

// projections is every projection there is, by the code in CTYPE.
var projections = []struct {
	code string
	make func(p params) (projection, error)
}{
	{"AZP", newAZP},
	{"SZP", newSZP},
	{"TAN", newTAN},
	{"TPV", newTPV},
	{"STG", newSTG},
	{"SIN", newSIN},
	{"NCP", newNCP},
	{"ARC", newARC},
	{"ZPN", newZPN},
	{"ZEA", newZEA},
	{"AIR", newAIR},
	{"CYP", newCYP},
	{"CEA", newCEA},
	{"CAR", newCAR},
	{"MER", newMER},
	{"SFL", newSFL},
	{"GLS", newGLS},
	{"PAR", newPAR},
	{"MOL", newMOL},
	{"AIT", newAIT},
	{"COP", newCOP},
	{"COE", newCOE},
	{"COD", newCOD},
	{"COO", newCOO},
	{"BON", newBON},
	{"PCO", newPCO},
	{"TSC", newTSC},
	{"CSC", newCSC},
	{"QSC", newQSC},
	{"HPX", newHPX},
	{"XPH", newXPH},
}

// params are the parameters PVi_m of a projection.
type params struct {
	code     string
	lat0     float64         // celestial latitude of the reference point, degrees
	lon, lat map[int]float64 // by m, of the longitude and of the latitude axis
	lonAxis  int             // i of the longitude axis, for messages
	latAxis  int
}

// get returns PVi_m of the latitude axis.
func (p *params) get(m int, otherwise float64) float64 {
	if v, ok := p.lat[m]; ok {
		return v
	}
	return otherwise
}

// bad returns the error for parameters outside a projection's domain.
func (p *params) bad(format string, args ...any) error {
	return fault.New(fault.Corrupt, "wcs.Parse", "projection %s: %s", p.code, fmt.Sprintf(format, args...))
}

type zenithal struct{}

func (zenithal) theta0() float64 { return 90 }

type cylindrical struct{}

func (cylindrical) theta0() float64 { return 0 }

// rim is the slack in radians for native coordinates past the limits ±180 and ±90
// degrees that rounding can cause.
const rim = 1e-13 * sky.Degree * 10

// native returns the direction of native longitude and latitude in radians; ok is false
// outside [-π, π] × [-π/2, π/2].
func native(phi, theta float64) (v sky.Vec, ok bool) {
	if !(math.Abs(phi) <= math.Pi+rim && math.Abs(theta) <= math.Pi/2+rim) {
		return v, false
	}
	sp, cp := math.Sincos(phi)
	st, ct := math.Sincos(theta)
	return sky.Vec{X: ct * cp, Y: ct * sp, Z: st}, true
}

// sine returns s, which is to be the sine of an angle, freed of rounding beyond ±1.
func sine(s float64) (float64, bool) {
	if math.Abs(s) > 1 {
		return math.Copysign(1, s), math.Abs(s) <= 1+1e-12
	}
	return s, s == s
}

// angles returns the native longitude and latitude of v in radians.
func angles(v sky.Vec) (phi, theta float64) {
	return math.Atan2(v.Y, v.X), math.Atan2(v.Z, math.Hypot(v.X, v.Y))
}

// around returns the direction whose distance from the native pole has the given sine and
// cosine, towards the point (x, y) at distance r: Paper II, equation 14.
func around(x, y, r, sin, cos float64) sky.Vec {
	if r == 0 {
		return sky.Vec{Z: cos}
	}
	return sky.Vec{X: -y / r * sin, Y: x / r * sin, Z: cos}
}

// towards returns the point at distance r in the direction of v: equations 12 and 13.
func towards(v sky.Vec, r float64) (x, y float64) {
	h := math.Hypot(v.X, v.Y)
	if h == 0 {
		return 0, -r
	}
	return r * v.Y / h, -r * v.X / h
}
