#!/usr/bin/python3
"""Writes pkg/footprint/testdata/footprints.jsonl: where images are on the sky, by astropy.

Each line is one image: its cards, the corners by calc_footprint, positions along the edges, the radius of the smallest circle
around these by trying all pairs and triples of the outermost, the pixel scale, and what kind of outline there is. All ICRS degrees.
Usage: footprint.py > footprints.jsonl"""
import itertools, json, warnings
import numpy as np
import astropy
from astropy.coordinates import ICRS, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area, wcs_to_celestial_frame

warnings.simplefilter('ignore')


def cards(nx, ny, lon, lat, scale, code='TAN', **more):
    c = {'SIMPLE': True, 'BITPIX': 16, 'NAXIS': 2, 'NAXIS1': nx, 'NAXIS2': ny, 'CTYPE1': 'RA---' + code, 'CTYPE2': 'DEC--' + code,
         'CRPIX1': (nx + 1) / 2, 'CRPIX2': (ny + 1) / 2, 'CRVAL1': lon, 'CRVAL2': lat, 'CDELT1': -scale, 'CDELT2': scale, 'RADESYS': 'ICRS'}
    c.update(more)
    return c


def turned(angle, flip=1):
    s, c = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    return {'PC1_1': c, 'PC1_2': -s, 'PC2_1': flip * s, 'PC2_2': flip * c}


SIP = {'A_ORDER': 2, 'B_ORDER': 2, 'A_2_0': 3e-5, 'A_0_2': 2e-5, 'B_1_1': -4e-5, 'B_0_2': 1e-5}
IMAGES = [
    ('upright', cards(100, 60, 10., 20., 1e-3), 'arcs'),
    ('turned', cards(100, 60, 10., 20., 1e-3, **turned(33)), 'arcs'),
    ('mirrored', cards(100, 60, 10., 20., 1e-3, **turned(33, -1)), 'arcs'),
    ('across longitude 0', cards(300, 300, 0.01, -5., 1e-3), 'arcs'),
    ('over the pole', cards(400, 400, 120., 89.95, 1e-3), 'arcs'),
    ('the pole in a corner', cards(400, 400, 120., 90., 1e-3, CRPIX1=0.6, CRPIX2=0.6), 'arcs'),
    ('one pixel', cards(1, 1, 200., 45., 1e-5), 'arcs'),
    ('milliarcseconds', cards(64, 64, 83.6, -22.01, 1e-7), 'arcs'),
    ('a long slit', cards(5000, 2, 83.6, -22.01, 1e-4), 'arcs'),
    ('distorted', cards(800, 800, 150., 2., 1e-3, code='TAN-SIP', **SIP), 'curves'),
    ('60 degrees wide', cards(120, 120, 30., 70., 0.5), 'arcs'),
    ('plate carree', cards(90, 80, 200., 0., 1., code='CAR'), 'curves'),
    ('a wide SIN', cards(100, 100, 150., -40., 0.5, code='SIN'), 'curves'),
    ('galactic', dict(cards(100, 50, 120., 10., 1e-2), CTYPE1='GLON-TAN', CTYPE2='GLAT-TAN'), 'arcs'),
    ('latitude first', dict(cards(80, 60, 10., 20., 1e-3), CTYPE1='DEC--TAN', CTYPE2='RA---TAN', CRVAL1=20., CRVAL2=10.), 'arcs'),
    ('a cube, its spectrum first', {'SIMPLE': True, 'BITPIX': -32, 'NAXIS': 3, 'NAXIS1': 7, 'NAXIS2': 40, 'NAXIS3': 30, 'CTYPE1': 'FREQ', 'CUNIT1': 'Hz',
        'CRPIX1': 1., 'CRVAL1': 1e9, 'CDELT1': 1e6, 'CTYPE2': 'RA---SIN', 'CRPIX2': 20., 'CRVAL2': 66.8, 'CDELT2': -1e-3,
        'CTYPE3': 'DEC--SIN', 'CRPIX3': 15., 'CRVAL3': 26.3, 'CDELT3': 1e-3, 'RADESYS': 'ICRS'}, 'arcs'),
    ('a ring around the pole', cards(360, 30, 0., 0., 1., code='CAR', CRPIX2=-29.5), 'none'),
    ('all of the sky', cards(360, 180, 0., 0., 1., code='CAR'), 'sphere'),
    ('all of the sky in an ellipse', cards(360, 180, 0., 0., 0.9, code='AIT'), 'sphere'),
]


def icrs(wcs, pixels):
    world = wcs.wcs_pix2world(pixels, 1) if wcs.sip is None else wcs.all_pix2world(pixels, 1)
    lon, lat = world[:, wcs.wcs.lng], world[:, wcs.wcs.lat]
    c = SkyCoord(lon, lat, unit='deg', frame=wcs_to_celestial_frame(wcs)).transform_to(ICRS())
    return np.stack([c.ra.deg, c.dec.deg], axis=1)


def unit(p):
    a, d = np.radians(p).T
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)


def smallest(v):
    """The radius in degrees of the smallest circle around directions within a hemisphere."""
    best = None
    for k in (2, 3):
        for points in itertools.combinations(v, k):
            if k == 2:
                c = points[0] + points[1]
            else:
                c = np.cross(points[1] - points[0], points[2] - points[0])
                c = c * np.sign(c @ points[0])
            if (n := np.linalg.norm(c)) == 0:
                continue
            c = c / n
            r = np.linalg.norm(v - c, axis=1).max()
            if best is None or r < best:
                best = r
    return float(np.degrees(2 * np.arcsin(best / 2)))


print(json.dumps({'by': f'astropy {astropy.__version__}'}))
for name, image, outline in IMAGES:
    header = fits.Header(image.items())
    wcs = WCS(header).celestial
    axes = [a for a in range(1, image['NAXIS'] + 1) if image[f'CTYPE{a}'][:4] in ('RA--', 'DEC-', 'GLON', 'GLAT')]
    nx, ny = (image[f'NAXIS{a}'] for a in axes)
    line = {'name': name, 'cards': [str(c) for c in header.cards], 'outline': outline}
    if outline in ('arcs', 'curves'):
        t = np.linspace(0, 1, 41)[:-1]
        edge = np.concatenate([np.stack(p, axis=1) for p in ((t, 0 * t), (1 + 0 * t, t), (1 - t, 1 + 0 * t), (0 * t, 1 - t))])
        edge = icrs(wcs, 0.5 + edge * [nx, ny])
        corners = wcs.calc_footprint(axes=(nx, ny), center=False)
        if wcs.wcs.lng == 1:
            corners = corners[:, ::-1]
        if image['CTYPE1'].startswith('GLON'):
            c = SkyCoord(corners[:, 0], corners[:, 1], unit='deg', frame='galactic').icrs
            corners = np.stack([c.ra.deg, c.dec.deg], axis=1)
        line |= {'corners': corners.tolist(), 'edge': edge.tolist(), 'radius': smallest(unit(edge[::4]))}
    line['scale'] = float(np.sqrt(proj_plane_pixel_area(wcs)))
    print(json.dumps(line))
