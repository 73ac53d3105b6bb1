#!/usr/bin/python3
"""Writes pkg/holdings/holdingstest/testdata/positions.jsonl: which images hold which positions, by astropy.

After a line that names the versions come lines of images, {name, cards}, and then lines of positions, {ra, dec, in: [names]}, ICRS
degrees. A position is in an image if one of its pixel positions, there and back, lies within the area of a pixel; positions
within a thousandth of a pixel of an edge of any image are left out.
Usage: holdings.py > positions.jsonl"""
import json, warnings
import numpy as np
import astropy
from astropy.coordinates import ICRS, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, NoConvergence
from astropy.wcs.utils import proj_plane_pixel_area, wcs_to_celestial_frame

warnings.simplefilter('ignore')


def cards(nx, ny, lon, lat, scale, code='TAN', **more):
    c = {'SIMPLE': True, 'BITPIX': 16, 'NAXIS': 2, 'NAXIS1': nx, 'NAXIS2': ny, 'CTYPE1': 'RA---' + code, 'CTYPE2': 'DEC--' + code,
         'CRPIX1': (nx + 1) / 2, 'CRPIX2': (ny + 1) / 2, 'CRVAL1': lon, 'CRVAL2': lat, 'CDELT1': -scale, 'CDELT2': scale, 'RADESYS': 'ICRS'}
    c.update(more)
    return [str(fits.Card(k, v)) for k, v in c.items()]


# The images of footprint.py, and more.
with open('pkg/footprint/testdata/footprints.jsonl') as f:
    IMAGES = [(g['name'], g['cards']) for g in map(json.loads, f) if 'name' in g] + [
        ('across the seam of plate carree', cards(80, 40, 0., 0., 0.05, code='CAR', CRPIX1=-3600 + 40.5, CRPIX2=-200.)),
        ('far from the reference of Mercator', cards(60, 60, 0., 0., 0.1, code='MER', CRPIX1=-1500.)),
        ('the north pole of ARC', cards(50, 50, 10., 90., 0.2, code='ARC')),
        ('the south pole of STG', cards(50, 50, 250., -89.9, 0.01, code='STG', PC1_2=0.3, PC2_1=-0.3)),
        ('over RA 0 at the south', cards(64, 64, 359.99, -88.5, 0.02, code='ZEA')),
        ('a corner of a SIN', cards(64, 64, 200., 30., 0.5, code='SIN', CRPIX1=-40., CRPIX2=-40.)),
        ('an equal area cylinder', cards(200, 20, 40., 0., 0.5, code='CEA')),
        ('half of an ellipse', cards(60, 60, 0., 0., 2., code='MOL', CRPIX1=60.5)),
        ('a polyconic', cards(60, 60, 80., 0., 0.5, code='PCO', CRPIX2=-20.)),
        ('a cone', cards(80, 60, 20., 45., 0.3, code='COE', PV2_1=45., PV2_2=15.)),
        ('a face of a cube', cards(60, 60, 100., 10., 0.5, code='TSC')),
        ('zenithal polynomial', cards(60, 60, 300., -20., 0.1, code='ZPN', PV2_1=1., PV2_3=0.05)),
]
CYLINDERS = {'CAR', 'MER', 'CEA'}


class Image:
    def __init__(self, name, c):
        self.name, self.cards = name, c
        h = fits.Header.fromstring('\n'.join(c), sep='\n')
        w = WCS(h)
        self.sip = w.sip is not None
        self.wcs = w if self.sip else w.celestial
        self.width, self.height = (h['NAXIS%d' % (a + 1)] for a in sorted((w.wcs.lng, w.wcs.lat)))
        self.frame = wcs_to_celestial_frame(w)
        self.scale = np.sqrt(proj_plane_pixel_area(self.wcs))
        self.period = abs(360 / h['CDELT%d' % (w.wcs.lng + 1)]) if w.wcs.ctype[w.wcs.lng][-3:] in CYLINDERS else 0

    def sky(self, pixels):
        world = self.wcs.all_pix2world(pixels, 1)
        c = SkyCoord(world[:, self.wcs.wcs.lng], np.clip(world[:, self.wcs.wcs.lat], -90, 90), unit='deg', frame=self.frame).transform_to(ICRS())
        bad = ~np.isfinite(world).all(axis=1)
        out = np.stack([c.ra.deg, c.dec.deg], axis=1)
        out[bad] = np.nan
        return out

    def pixel(self, position):
        c = SkyCoord(*position, unit='deg').transform_to(self.frame)
        lon, lat = (c.spherical.lon.deg, c.spherical.lat.deg)
        world = np.array([[lon, lat]])[:, ::(-1 if self.wcs.wcs.lng else 1)]
        try:
            p = self.wcs.all_world2pix(world, 1, tolerance=1e-6) if self.sip else self.wcs.wcs_world2pix(world, 1)
        except NoConvergence:
            return []
        found = []
        for turn in range(-2, 3) if self.period else [0]:
            q = p + [[turn * self.period, 0]]
            back = self.sky(q)
            if np.isfinite(q).all() and np.isfinite(back).all() and SkyCoord(*back[0], unit='deg').separation(SkyCoord(*position, unit='deg')).deg < 1e-4 * self.scale:
                found.append(q[0])
        return found

    def holds(self, position):
        """True, False, or None if that is too close to call."""
        answer = False
        for p in self.pixel(position):
            e = min(p[0] - 0.5, p[1] - 0.5, self.width + 0.5 - p[0], self.height + 0.5 - p[1])
            if abs(e) < 1e-3:
                return None
            answer = answer or e > 0
        return answer


def main():
    random = np.random.default_rng(9)
    images = [Image(*i) for i in IMAGES]
    print(json.dumps({'by': 'astropy %s' % astropy.__version__}))
    for m in images:
        print(json.dumps({'name': m.name, 'cards': m.cards}))
    positions = [(0., 90.), (0., -90.), (0., 0.), (180., 0.), (359.999999, 20.), (123.4, 89.9999)]
    for m in images:
        n = np.array([m.width, m.height])
        inside = 0.5 + n * random.random((4, 2))
        edges = 0.5 + n * random.random((8, 2))
        for i in range(8):  # a hundredth of a pixel this side and that of each edge
            edges[i, i % 2] = [0.49, 0.51, n[i % 2] + 0.49, n[i % 2] + 0.51][i // 2]
        positions += [tuple(p) for p in m.sky(np.concatenate([inside, edges])) if np.isfinite(p).all()]
    z = random.uniform(-1, 1, 40)
    positions += list(zip(random.uniform(0, 360, 40), np.degrees(np.arcsin(z))))
    for p in positions:
        held = {m.name: m.holds(p) for m in images}
        if None not in held.values():
            print(json.dumps({'ra': p[0], 'dec': p[1], 'in': sorted(k for k, v in held.items() if v)}))


if __name__ == '__main__':
    main()
