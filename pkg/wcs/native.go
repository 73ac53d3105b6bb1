package wcs

import (
	"math"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// pole holds what fixes the native sphere on the celestial one, in degrees.
type pole struct {
	lon0, lat0   float64 // celestial position of the fiducial point, CRVAL
	phi0, theta0 float64 // its native position
	lonpole      float64 // native longitude of the celestial pole, φp
	latpole      float64 // which of two solutions for the native pole's latitude is meant
}

// nearly is the slack in degrees for angles that should be ±90, as in wcslib.
const nearly = 1e-10

// rotation returns the matrix from native to celestial directions: Paper II, section 2.4,
// equations 5 to 10.
func (p *pole) rotation() (sky.Matrix, error) {
	lonp, latp, err := p.solve()
	if err != nil {
		return sky.Matrix{}, err
	}
	sa, ca := sincosd(lonp)
	sd, cd := sincosd(latp)
	sp, cp := sincosd(p.lonpole)
	return sky.Matrix{
		{-sa*sp - ca*cp*sd, sa*cp - ca*sp*sd, ca * cd},
		{ca*sp - sa*cp*sd, -ca*cp - sa*sp*sd, sa * cd},
		{cp * cd, sp * cd, sd},
	}, nil
}

// solve returns the celestial position of the native pole in degrees.
func (p *pole) solve() (lon, lat float64, err error) {
	if p.theta0 == 90 {
		return p.lon0, p.lat0, nil
	}
	slat0, clat0 := sincosd(p.lat0)
	sthe0, cthe0 := sincosd(p.theta0)
	sphi, cphi := sincosd(p.lonpole - p.phi0)
	lat = min(max(p.latpole, -90), 90)

	x, y := cthe0*cphi, sthe0
	if z := math.Hypot(x, y); z < nearly*sky.Degree {
		// Equation 8 says nothing about the latitude: LATPOLE alone does.
		if math.Abs(slat0) > nearly*sky.Degree {
			return 0, 0, fault.New(fault.Corrupt, "wcs.Parse",
				"LONPOLE = %g leaves no place for a reference point at latitude %g: it must be 0 there", p.lonpole, p.lat0)
		}
	} else {
		s := slat0 / z
		if math.Abs(s) > 1 {
			if math.Abs(s) > 1+nearly {
				return 0, 0, fault.New(fault.Corrupt, "wcs.Parse",
					"no native pole fits a reference point at latitude %g with LONPOLE = %g", p.lat0, p.lonpole)
			}
			s = math.Copysign(1, s)
		}
		u, v := math.Atan2(y, x)/sky.Degree, math.Acos(s)/sky.Degree
		north, south := half(u+v), half(u-v)
		lat = north
		if math.Abs(p.latpole-south) <= math.Abs(p.latpole-north) && math.Abs(south) < 90+nearly || math.Abs(north) >= 90+nearly {
			lat = south
		}
		if math.Abs(lat) >= 90+nearly {
			return 0, 0, fault.New(fault.Corrupt, "wcs.Parse",
				"no native pole fits a reference point at latitude %g with LONPOLE = %g", p.lat0, p.lonpole)
		}
		lat = min(max(lat, -90), 90)
	}

	slat, clat := sincosd(lat)
	switch {
	case math.Abs(clat0) < nearly: // the reference point is a celestial pole
		lon = p.lon0
	case math.Abs(clat*clat0) >= nearly: // equations 9 and 10
		lon = p.lon0 - math.Atan2(sphi*cthe0/clat0, (sthe0-slat*slat0)/(clat*clat0))/sky.Degree
	case lat > 0: // the native pole is the north celestial pole
		lon = p.lon0 + p.lonpole - p.phi0 - 180
	default:
		lon = p.lon0 - p.lonpole + p.phi0
	}
	return lon, lat, nil
}

// half returns an angle in degrees as one in (-180, 180].
func half(a float64) float64 {
	a = math.Mod(a, 360)
	switch {
	case a > 180:
		return a - 360
	case a <= -180:
		return a + 360
	}
	return a
}

// sincosd returns sine and cosine of an angle in degrees, exact at multiples of 90.
func sincosd(a float64) (sin, cos float64) {
	switch math.Mod(a, 360) {
	case 0:
		return 0, 1
	case 90, -270:
		return 1, 0
	case 180, -180:
		return 0, -1
	case 270, -90:
		return -1, 0
	}
	return math.Sincos(a * sky.Degree)
}
