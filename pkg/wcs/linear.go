package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// linear takes pixel offsets from CRPIX along the two celestial pixel axes to
// intermediate world coordinates (longitude, latitude) in radians: Paper I, equation 1.
type linear struct {
	crpix  [2]float64
	m, inv [2][2]float64
	det    float64
}

func (l *linear) plane(px, py float64) (x, y float64) {
	return l.m[0][0]*px + l.m[0][1]*py, l.m[1][0]*px + l.m[1][1]*py
}

func (l *linear) offset(x, y float64) (px, py float64) {
	return l.inv[0][0]*x + l.inv[0][1]*y, l.inv[1][0]*x + l.inv[1][1]*y
}

// parseLinear reads the matrix of axes lon and lat (1-based) out of n axes, scaled by
// their units (degrees per unit).
func parseLinear(c *cards, n, lon, lat int, unit [2]float64) (linear, error) {
	pix := [2]int{min(lon, lat), max(lon, lat)}
	world := [2]int{lon, lat}
	element, err := c.matrix(n, lon, lat)
	if err != nil {
		return linear{}, err
	}
	var l linear
	for i, w := range world {
		for j := 1; j <= n; j++ {
			value, other := element(w, j), element(j, w)
			switch {
			case j == pix[0]:
				l.m[i][0] = value * unit[i] * sky.Degree
			case j == pix[1]:
				l.m[i][1] = value * unit[i] * sky.Degree
			case value != 0:
				return linear{}, fault.New(fault.Unsupported, "wcs.Parse",
					"the matrix lets pixel axis %d change world axis %d: celestial axes that are rotated into other axes are not supported", j, w)
			case other != 0:
				return linear{}, fault.New(fault.Unsupported, "wcs.Parse",
					"the matrix lets pixel axis %d change world axis %d: celestial axes that are rotated into other axes are not supported", w, j)
			}
		}
	}
	for j, p := range pix {
		l.crpix[j] = c.float(numbered("CRPIX", p), 0)
	}
	if c.err != nil {
		return l, c.err
	}
	return l, l.setMatrix(l.m)
}

// setMatrix sets the matrix, its determinant and its inverse.
func (l *linear) setMatrix(m [2][2]float64) error {
	l.m = m
	l.det = m[0][0]*m[1][1] - m[0][1]*m[1][0]
	l.inv = [2][2]float64{{m[1][1] / l.det, -m[0][1] / l.det}, {-m[1][0] / l.det, m[0][0] / l.det}}
	for _, v := range []float64{l.crpix[0], l.crpix[1], l.det, l.inv[0][0], l.inv[0][1], l.inv[1][0], l.inv[1][1]} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fault.New(fault.Corrupt, "wcs.Parse",
				"the matrix of the celestial axes is singular: check CDi_j, or PCi_j and CDELTi (or a plate's XPIXELSZ, YPIXELSZ and AMDX1)")
		}
	}
	return nil
}

// matrix returns the element (i, j) of the linear transformation of n axes in the header's
// units per pixel: PCi_j times CDELTi, or CDi_j, or the obsolete CDELTi and CROTAn, in
// this order of precedence, as in wcslib. Absent elements of PC are those of the identity;
// of CD, zero.
func (c *cards) matrix(n, lon, lat int) (func(i, j int) float64, error) {
	type at struct{ i, j int }
	pc, cd := map[at]float64{}, map[at]float64{}
	for i := 1; i <= n; i++ {
		for j := 1; j <= n; j++ {
			for _, form := range []func(name string, i, j int) string{numberedTwice, numberedOld} {
				if v, ok := c.get(form("PC", i, j)); ok {
					pc[at{i, j}] = v
				}
				if v, ok := c.get(form("CD", i, j)); ok {
					cd[at{i, j}] = v
				}
			}
		}
	}
	cdelt := make([]float64, n+1)
	for i := 1; i <= n; i++ {
		cdelt[i] = c.float(numbered("CDELT", i), 1)
	}
	rho, rotated := c.get(numbered("CROTA", lat))
	if c.err != nil {
		return nil, c.err
	}
	identity := func(i, j int) float64 {
		if i == j {
			return 1
		}
		return 0
	}
	switch {
	case len(pc) > 0:
		return func(i, j int) float64 {
			v, ok := pc[at{i, j}]
			if !ok {
				v = identity(i, j)
			}
			return v * cdelt[i]
		}, nil
	case len(cd) > 0:
		return func(i, j int) float64 { return cd[at{i, j}] }, nil
	case rotated:
		sin, cos := math.Sincos(rho * sky.Degree)
		return func(i, j int) float64 { // Paper II, equations 189 to 191
			switch {
			case (i == lon || i == lat) && i == j:
				return cdelt[i] * cos
			case i == lon && j == lat:
				return -cdelt[j] * sin
			case i == lat && j == lon:
				return cdelt[j] * sin
			}
			return cdelt[i] * identity(i, j)
		}, nil
	default:
		return func(i, j int) float64 { return cdelt[i] * identity(i, j) }, nil
	}
}
