package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// The frames and their way to ICRS are those of astropy.coordinates, constants included,
// so that the two agree to rounding.

const (
	arcsec = sky.Degree / 3600
	mas    = arcsec / 1000
)

// axisX, axisY and axisZ return the rotation of the frame, not of the vector, by an angle
// in radians: R1, R2 and R3 of the astronomical literature.
func axisX(a float64) *sky.Matrix {
	s, c := math.Sincos(a)
	return &sky.Matrix{{1, 0, 0}, {0, c, s}, {0, -s, c}}
}

func axisY(a float64) *sky.Matrix {
	s, c := math.Sincos(a)
	return &sky.Matrix{{c, 0, -s}, {0, 1, 0}, {s, 0, c}}
}

func axisZ(a float64) *sky.Matrix {
	s, c := math.Sincos(a)
	return &sky.Matrix{{c, s, 0}, {-s, c, 0}, {0, 0, 1}}
}

// chain returns the product of the matrices: the last acts first.
func chain(ms ...*sky.Matrix) *sky.Matrix {
	p := *ms[0]
	for _, m := range ms[1:] {
		p = p.Times(m)
	}
	return &p
}

func transpose(m *sky.Matrix) *sky.Matrix {
	t := m.Transpose()
	return &t
}

// icrsToFK5 is the frame bias of Kaplan 2005, USNO Circular 179, section 3.5.
func icrsToFK5() *sky.Matrix {
	return chain(axisX(19.9*mas), axisY(9.1*mas), axisZ(-22.9*mas))
}

// precession returns the matrix from the mean equator and equinox of J2000 to that of a
// Julian year, with or without the frame bias from ICRS, after IAU 2006: the
// Fukushima-Williams angles of Capitaine et al. 2003, A&A 412, 567, table 1, as in ERFA's
// pfw06.
func precession(year float64, biased bool) *sky.Matrix {
	p := fukushimaWilliams(year)
	if !biased {
		p = chain(p, transpose(fukushimaWilliams(2000)))
	}
	return p
}

func fukushimaWilliams(year float64) *sky.Matrix {
	t := (year - 2000) / 100
	gamma := horner(t, -0.052928, 10.556378, 0.4932044, -0.00031238, -0.000002788, 0.0000000260)
	phi := horner(t, 84381.412819, -46.811016, 0.0511268, 0.00053289, -0.000000440, -0.0000000176)
	psi := horner(t, -0.041775, 5038.481484, 1.5584175, -0.00018522, -0.000026452, -0.0000000148)
	return chain(axisX(-obliquity(year)), axisZ(-psi*arcsec), axisX(phi*arcsec), axisZ(gamma*arcsec))
}

// obliquity returns the mean obliquity of the ecliptic in radians after IAU 2006 (Hilton
// et al. 2006, Celest. Mech. 94, 351).
func obliquity(year float64) float64 {
	t := (year - 2000) / 100
	return arcsec * horner(t, 84381.406, -46.836769, -0.0001831, 0.00200340, -0.000000576, -0.0000000434)
}

func horner(t float64, c ...float64) float64 {
	var sum float64
	for i := len(c) - 1; i >= 0; i-- {
		sum = sum*t + c[i]
	}
	return sum
}

// fromFK5 returns the matrix from FK5 of an equinox (Julian year) to ICRS.
func fromFK5(equinox float64) *sky.Matrix {
	return chain(transpose(icrsToFK5()), transpose(precession(equinox, false)))
}

// fromGalactic returns the matrix from galactic directions to ICRS. The pole and the
// zero point are those of FK4 (Blaauw et al. 1960), carried over to FK5 of J2000.
func fromGalactic() *sky.Matrix {
	const poleRA, poleDec, node = 192.8594812065348, 27.12825118085622, 122.9319185680026
	gal := chain(axisZ((180-node)*sky.Degree), axisY((90-poleDec)*sky.Degree), axisZ(poleRA*sky.Degree))
	return chain(transpose(icrsToFK5()), transpose(gal))
}

// fromSupergalactic returns the matrix from supergalactic directions (Lahav et al. 2000,
// MNRAS 312, 166) to ICRS.
func fromSupergalactic() *sky.Matrix {
	const poleL, poleB = 47.37, 6.32
	super := chain(axisZ(90*sky.Degree), axisY((90-poleB)*sky.Degree), axisZ(poleL*sky.Degree))
	return chain(fromGalactic(), transpose(super))
}

// fromEcliptic returns the matrix from the mean ecliptic and equinox of a Julian year to
// ICRS, as ERFA's ecm06.
func fromEcliptic(equinox float64) *sky.Matrix {
	return transpose(chain(axisX(obliquity(equinox)), precession(equinox, true)))
}

// fromFK4 returns the matrix from FK4 without E-terms, of an equinox (Besselian year) that
// is also the epoch of observation, to ICRS. FK4 turns against FK5 (Murray 1989, A&A 218,
// 325, equations 28 and 29), so the matrix depends on the epoch. As published it is a
// rotation to within 3 mas a century; the nearest rotation is taken.
func fromFK4(equinox float64) *sky.Matrix {
	julian := 2000 + (besselianJD(equinox)-2451545)/365.25
	b := sky.Matrix{
		{0.9999256794956877, -0.0111814832204662, -0.0048590038153592},
		{0.0111814832391717, 0.9999374848933135, -0.0000271625947142},
		{0.0048590037723143, -0.0000271702937440, 0.9999881946023742},
	}
	drift := sky.Matrix{
		{-0.0026455262, -1.1539918689, 2.1111346190},
		{1.1540628161, -0.0129042997, 0.0236021478},
		{-2.1112979048, -0.0056024448, 0.0102587734},
	}
	for i := range 3 {
		for j := range 3 {
			b[i][j] += drift[i][j] * 1e-6 * (julian - 1950) / 100
		}
	}
	return chain(transpose(icrsToFK5()), nearestRotation(&b), newcomb(equinox, 1950))
}

// newcomb returns the precession matrix between two Besselian years after Newcomb, as
// given in the Explanatory Supplement (1992).
func newcomb(from, to float64) *sky.Matrix {
	t := (from - 1850) / 1000
	dt := (to-1850)/1000 - t
	first := 23035.545 + 139.720*t + 0.060*t*t
	zeta := horner(dt, 0, first, 30.240-0.27*t, 17.995)
	z := horner(dt, 0, first, 109.480+0.39*t, 18.325)
	theta := horner(dt, 0, 20051.12-85.29*t-0.37*t*t, -42.65-0.37*t, -41.8)
	return chain(axisZ(-z*arcsec), axisY(theta*arcsec), axisZ(-zeta*arcsec))
}

// besselianJD returns the Julian date of a Besselian year.
func besselianJD(year float64) float64 { return 2415020.31352 + (year-1900)*365.242198781 }

// nearestRotation returns the rotation nearest to a matrix that is one to within 1e-7: a
// step of Newton's method for the polar decomposition, m·(3 − mᵀm)/2.
func nearestRotation(m *sky.Matrix) *sky.Matrix {
	h := transpose(m).Times(m)
	for i := range 3 {
		for j := range 3 {
			h[i][j] /= -2
		}
		h[i][i] += 1.5
	}
	return chain(m, &h)
}

// eterms are the elliptic terms of aberration, which FK4 positions contain, and what lies
// behind them: the way from FK4 without them to ICRS.
type eterms struct {
	a                sky.Vec
	toICRS, fromICRS sky.Matrix
}

// newETerms follows the Explanatory Supplement (1992), section 3.53, as astropy does.
func newETerms(equinox float64) *eterms {
	const aberration = 0.0056932 * sky.Degree
	jd := besselianJD(equinox)
	t := (jd - besselianJD(1950)) / 36525
	ecc := horner(t, 0.01673011, -0.00004193, -0.000000126)
	perigee := horner(t, 1015489.951, 6190.67, 1.65, 0.012) * arcsec
	// The obliquity of IAU 1980 (Lieske et al. 1977).
	eps := horner((jd-2451545)/36525, 84381.448, -46.8150, -0.00059, 0.001813) * arcsec
	sg, cg := math.Sincos(perigee)
	se, ce := math.Sincos(eps)
	toICRS := fromFK4(equinox)
	return &eterms{
		a:      sky.Vec{X: ecc * aberration * sg, Y: -ecc * aberration * cg * ce, Z: -ecc * aberration * cg * se},
		toICRS: *toICRS, fromICRS: toICRS.Transpose(),
	}
}

// remove takes an FK4 direction to ICRS.
func (e *eterms) remove(v sky.Vec) sky.Vec {
	v = v.Add(e.a.Scale(-1)).Add(v.Scale(e.a.Dot(v)))
	return e.toICRS.Apply(v.Unit())
}

// add takes an ICRS direction to FK4: the inverse of remove by iteration, which gains
// seven digits a round.
func (e *eterms) add(v sky.Vec) sky.Vec {
	v0 := e.fromICRS.Apply(v).Unit()
	v = v0
	for range 5 {
		v = v0.Add(e.a).Scale(1 / (1 + e.a.Dot(v)))
	}
	return v.Unit()
}
