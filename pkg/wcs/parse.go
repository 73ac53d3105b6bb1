package wcs

import (
	"fmt"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/sky"
)

// maxAxes bounds the work that a header can ask for; images have nine axes at most.
const maxAxes = 32

// Parse reads the celestial coordinate system of an image with naxis pixel axes.
//
// The error wraps [NoSky] if no axis is celestial, is [fault.Unsupported] if an axis is,
// in a way that this package does not do, and [fault.Corrupt] if the cards contradict
// themselves or each other; the sentence names the card.
func Parse(h Keywords, naxis int) (*System, error) {
	c := &cards{h: h}
	n := max(naxis, int(min(c.integer("WCSAXES", 0), maxAxes)))
	if c.err != nil {
		return nil, c.err
	}
	if n > maxAxes {
		return nil, fault.New(fault.Unsupported, "wcs.Parse", "%d axes: at most %d are supported", n, maxAxes)
	}
	if naxis >= 2 && isPlate(c) {
		return parseDSS(c)
	}
	ax, err := findAxes(c, n)
	if err != nil {
		return nil, err
	}
	if max(ax.lon, ax.lat) > naxis {
		return nil, fault.New(fault.Unsupported, "wcs.Parse",
			"the celestial axes are %d and %d, and the image has %d pixel axes: want both among them", ax.lon, ax.lat, naxis)
	}
	if err := refuseTables(c, ax); err != nil {
		return nil, err
	}
	var unit [2]float64
	for i, a := range []int{ax.lon, ax.lat} {
		if unit[i], err = degrees(c, a); err != nil {
			return nil, err
		}
	}
	s := &System{x: min(ax.lon, ax.lat) - 1, y: max(ax.lon, ax.lat) - 1}
	if s.linear, err = parseLinear(c, n, ax.lon, ax.lat, unit); err != nil {
		return nil, err
	}
	if s.sip, err = parseSIP(c); err != nil {
		return nil, err
	}
	if s.sip != nil && (s.x != 0 || s.y != 1) {
		return nil, fault.New(fault.Unsupported, "wcs.Parse",
			"SIP is for pixel axes 1 and 2, and the celestial ones are %d and %d", s.x+1, s.y+1)
	}
	toCelestial, err := s.parseProjection(c, ax, unit)
	if err != nil {
		return nil, err
	}
	if err := s.parseFrame(c, ax, toCelestial); err != nil {
		return nil, err
	}
	return s, nil
}

// parseDSS reads a header with a plate solution.
func parseDSS(c *cards) (*System, error) {
	s := &System{x: 0, y: 1, code: "DSS"}
	center, err := s.parsePlate(c)
	if err != nil {
		return nil, err
	}
	toCelestial, err := center.rotation()
	if err != nil {
		return nil, err
	}
	if err := s.parseFrame(c, axes{system: "RA"}, toCelestial); err != nil {
		return nil, err
	}
	return s, nil
}

// axes are the celestial axes of a header, 1-based.
type axes struct {
	lon, lat int
	system   string // RA, GLON, …: the longitude's name
	code     string // TAN, …
}

// findAxes finds the axes by their CTYPEs.
func findAxes(c *cards, n int) (axes, error) {
	var ax axes
	var types [2]string
	for i := 1; i <= n; i++ {
		ctype := strings.ToUpper(strings.TrimSpace(c.text(numbered("CTYPE", i))))
		name, _ := splitType(ctype)
		k, ok := celestial(name)
		if !ok {
			continue
		}
		to := &ax.lon
		if k == 1 {
			to = &ax.lat
		}
		if *to != 0 {
			return ax, fault.New(fault.Unsupported, "wcs.Parse", "CTYPE%d = '%s' and CTYPE%d = '%s': want one pair of celestial axes", *to, types[k], i, ctype)
		}
		*to, types[k] = i, ctype
	}
	switch {
	case c.err != nil:
		return ax, c.err
	case ax.lon == 0 && ax.lat == 0:
		return ax, fmt.Errorf("wcs.Parse: none of the %d axes has a celestial CTYPE: %w", n, NoSky)
	case ax.lon == 0 || ax.lat == 0:
		return ax, fault.New(fault.Corrupt, "wcs.Parse", "CTYPE%d = '%s' without its partner: want longitude and latitude", max(ax.lon, ax.lat), types[0]+types[1])
	case partner(types[0]) != types[1]:
		return ax, fault.New(fault.Corrupt, "wcs.Parse", "CTYPE%d = '%s' and CTYPE%d = '%s' do not belong together", ax.lon, types[0], ax.lat, types[1])
	}
	ax.system, ax.code = splitType(types[0])
	switch ax.system {
	case "RA", "GLON", "ELON", "SLON":
	default:
		return ax, fault.New(fault.Unsupported, "wcs.Parse", "CTYPE%d = '%s': no way from '%s' to ICRS is known", ax.lon, types[0], ax.system)
	}
	return ax, nil
}

// splitType takes a CTYPE such as RA---TAN-SIP apart into the name of the axis (RA) and
// what follows (TAN-SIP): Paper II, section 3.1.
func splitType(ctype string) (name, code string) {
	if len(ctype) > 5 && ctype[4] == '-' {
		return strings.TrimRight(ctype[:4], "-"), ctype[5:]
	}
	return strings.TrimRight(ctype, "-"), ""
}

// celestial reports whether an axis has the name of a longitude (0) or latitude (1).
func celestial(name string) (k int, ok bool) {
	switch {
	case name == "RA", name == "LON", len(name) == 4 && (name[1:] == "LON" || name[2:] == "LN"):
		return 0, true
	case name == "DEC", name == "LAT", len(name) == 4 && (name[1:] == "LAT" || name[2:] == "LT"):
		return 1, true
	}
	return 0, false
}

// partner returns the CTYPE of the latitude that belongs to that of a longitude.
func partner(ctype string) string {
	name, rest := ctype, ""
	if len(ctype) > 4 {
		name, rest = ctype[:4], ctype[4:]
	}
	switch {
	case strings.HasPrefix(name, "RA"):
		if rest == "" {
			return "DEC"
		}
		return "DEC-" + rest
	case strings.HasPrefix(name, "LON"):
		return "LAT" + name[3:] + rest
	case strings.HasSuffix(name, "LON"):
		return name[:1] + "LAT" + rest
	}
	return name[:2] + "LT" + rest
}

// refuseTables refuses what lies in lookup tables and in distortions that nobody has
// registered.
func refuseTables(c *cards, ax axes) error {
	for _, i := range []int{ax.lon, ax.lat} {
		for _, name := range []string{"CPDIS", "CQDIS", "D2IMDIS", "D2IM", "DP", "DQ"} {
			key := numbered(name, i)
			if _, ok, err := c.h.Text(key); ok || err != nil {
				return fault.New(fault.Unsupported, "wcs.Parse", "%s: distortions in lookup tables and records are not supported", key)
			}
		}
	}
	if _, corrected, _ := c.h.Float("AXISCORR"); corrected && c.text("D2IMEXT") != "" { // HST before 2012
		return fault.New(fault.Unsupported, "wcs.Parse", "AXISCORR and D2IMEXT: distortions in lookup tables are not supported")
	}
	return c.err
}

// degrees returns how many degrees CUNITi has.
func degrees(c *cards, i int) (float64, error) {
	key := numbered("CUNIT", i)
	unit := c.text(key)
	switch strings.ToLower(strings.TrimSpace(unit)) {
	case "", "deg", "degree", "degrees":
		return 1, c.err
	case "arcmin":
		return 1. / 60, nil
	case "arcsec":
		return 1. / 3600, nil
	case "mas":
		return 1. / 3600e3, nil
	case "uas":
		return 1. / 3600e6, nil
	case "rad":
		return 1 / sky.Degree, nil
	case "mrad":
		return 1e-3 / sky.Degree, nil
	case "urad":
		return 1e-6 / sky.Degree, nil
	}
	return 0, fault.New(fault.Unsupported, "wcs.Parse", "%s = '%s': want deg, arcmin, arcsec, mas or rad", key, unit)
}

// parseProjection sets the projection and returns the matrix from native directions to
// those of the header's frame.
func (s *System) parseProjection(c *cards, ax axes, unit [2]float64) (sky.Matrix, error) {
	p := params{lonAxis: ax.lon, latAxis: ax.lat, lon: map[int]float64{}, lat: map[int]float64{}}
	if c.any("PV") {
		for m := range 100 {
			if v, ok := c.get(numberedTwice("PV", ax.lon, m)); ok {
				p.lon[m] = v
			}
			if v, ok := c.get(numberedTwice("PV", ax.lat, m)); ok {
				p.lat[m] = v
			}
		}
	}
	if c.err != nil {
		return sky.Matrix{}, c.err
	}
	code, suffix, _ := strings.Cut(ax.code, "-")
	if suffix != "" && suffix != "SIP" {
		return sky.Matrix{}, fault.New(fault.Unsupported, "wcs.Parse", "CTYPE%d ends in '%s': the distortion '%s' is not supported", ax.lon, ax.code, suffix)
	}
	if s.sip != nil && code == "TAN" { // the same distortion once more, in SCAMP's form
		clear(p.lon)
		clear(p.lat)
	}
	p.code = code
	p.lat0 = unit[1] * c.float(numbered("CRVAL", ax.lat), 0)
	for _, row := range projections {
		if row.code == code {
			proj, err := row.make(p)
			if err != nil {
				return sky.Matrix{}, err
			}
			s.proj = proj
			break
		}
	}
	if code == "" {
		return sky.Matrix{}, fault.New(fault.Unsupported, "wcs.Parse", "CTYPE%d = '%s' names no projection: want one such as '%s'", ax.lon, ax.system, (ax.system + "----")[:5]+"TAN")
	}
	if s.proj == nil {
		return sky.Matrix{}, fault.New(fault.Unsupported, "wcs.Parse", "CTYPE%d names the projection '%s', which is not supported", ax.lon, ax.code)
	}
	s.code = code
	if s.sip != nil {
		s.code += "-SIP"
	}
	return s.parsePole(c, ax, unit, p)
}

// parsePole reads what fixes the native sphere on the celestial one.
func (s *System) parsePole(c *cards, ax axes, unit [2]float64, p params) (sky.Matrix, error) {
	if _, ok := s.proj.(*tpv); ok {
		p.lon = nil // PVi_m are coefficients there
	}
	lon := func(m int, otherwise float64) float64 {
		if v, ok := p.lon[m]; ok {
			return v
		}
		return otherwise
	}
	f := pole{
		lon0:   unit[0] * c.float(numbered("CRVAL", ax.lon), 0),
		lat0:   p.lat0,
		phi0:   lon(1, 0),
		theta0: lon(2, s.proj.theta0()),
	}
	if !(f.lat0 >= -90-nearly && f.lat0 <= 90+nearly) {
		return sky.Matrix{}, fault.New(fault.Corrupt, "wcs.Parse", "CRVAL%d = %g degrees: want a latitude between -90 and 90", ax.lat, f.lat0)
	}
	if !(f.theta0 >= -90-nearly && f.theta0 <= 90+nearly) {
		return sky.Matrix{}, fault.New(fault.Corrupt, "wcs.Parse", "PV%d_2 = %g: want a native latitude between -90 and 90", ax.lon, f.theta0)
	}
	f.lonpole = f.phi0
	if f.lat0 < f.theta0 {
		f.lonpole += 180
	}
	f.lonpole = lon(3, c.float("LONPOLE", f.lonpole))
	f.latpole = lon(4, c.float("LATPOLE", 90))
	if c.err != nil {
		return sky.Matrix{}, c.err
	}
	if lon(0, 0) != 0 { // (x, y) = (0, 0) at (phi0, theta0)
		v, _ := native(half(f.phi0)*sky.Degree, f.theta0*sky.Degree)
		var ok bool
		if s.x0, s.y0, ok = s.proj.plane(v); !ok {
			return sky.Matrix{}, fault.New(fault.Corrupt, "wcs.Parse", "projection %s cannot show the fiducial point that PV%d_1 and PV%d_2 name", p.code, ax.lon, ax.lon)
		}
	}
	return f.rotation()
}

// parseFrame sets the matrices between native directions and ICRS: Paper II, section 3.1.
func (s *System) parseFrame(c *cards, ax axes, toCelestial sky.Matrix) error {
	compose := func(frame *sky.Matrix) {
		s.toSky = frame.Times(&toCelestial)
		s.toNative = s.toSky.Transpose()
	}
	equinox, given := c.get("EQUINOX")
	if !given {
		equinox, given = c.get("EPOCH")
	}
	if c.err != nil {
		return c.err
	}
	if given && !(equinox >= 1000 && equinox <= 3000) {
		return fault.New(fault.Corrupt, "wcs.Parse", "EQUINOX or EPOCH = %g: want a year between 1000 and 3000", equinox)
	}
	year := func(otherwise float64) float64 {
		if given {
			return equinox
		}
		return otherwise
	}
	switch ax.system {
	case "GLON":
		s.frame = "galactic"
		compose(fromGalactic())
		return nil
	case "SLON":
		s.frame = "supergalactic"
		compose(fromSupergalactic())
		return nil
	case "ELON":
		s.frame = fmt.Sprintf("ecliptic J%g", year(2000))
		compose(fromEcliptic(year(2000)))
		return nil
	}
	name := c.text("RADESYS")
	if name == "" {
		name = c.text("RADECSYS")
	}
	name = strings.ToUpper(strings.TrimSpace(name))
	if name == "" {
		switch {
		case !given:
			name = "ICRS"
		case equinox < 1984:
			name = "FK4"
		default:
			name = "FK5"
		}
	}
	s.frame = name
	switch name {
	case "FK5":
		s.frame += fmt.Sprintf(" J%g", year(2000))
	case "FK4", "FK4-NO-E":
		s.frame += fmt.Sprintf(" B%g", year(1950))
	}
	switch name {
	case "ICRS":
		s.toSky = toCelestial
		s.toNative = s.toSky.Transpose()
	case "FK5":
		compose(fromFK5(year(2000)))
	case "FK4-NO-E":
		compose(fromFK4(year(1950)))
	case "FK4":
		s.eterms = newETerms(year(1950))
		s.toSky = toCelestial
		s.toNative = s.toSky.Transpose()
	default:
		return fault.New(fault.Unsupported, "wcs.Parse", "RADESYS = '%s': want ICRS, FK5, FK4 or FK4-NO-E", name)
	}
	return c.err
}
