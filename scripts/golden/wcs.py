#!/usr/bin/python3
"""Writes pkg/wcs/testdata/projections.jsonl: what wcslib, through astropy, makes of headers that real images seldom have.

Each projection with unusual parameters and oblique graticules, and each form of the linear part. The first line names the
versions; every other line is one system: name, cards, then "pix" (FITS pixels of axes 1 and 2) with "sky" (longitude, latitude in
degrees; null where there is none), and "dir" (longitude, latitude) with "at" (pixels or null); or "refused": wcslib finds no
native pole. All frames are ICRS.
Usage: wcs.py > projections.jsonl"""
import json, warnings
import numpy as np
import astropy
from astropy.io import fits
from astropy.wcs import WCS, _wcs

warnings.simplefilter('ignore')
astropy.log.setLevel('ERROR')

def system(code, lon=40., lat=30., **more):
    cards = {'CTYPE1': 'RA---' + code, 'CTYPE2': 'DEC--' + code, 'CRPIX1': 51.5, 'CRPIX2': 37.25, 'CRVAL1': lon, 'CRVAL2': lat,
             'CDELT1': -0.75, 'CDELT2': 0.75, 'RADESYS': 'ICRS'}
    for k, v in more.items():
        if v is None: cards.pop(k)
        else: cards[k] = v
    return cards

S = []
def add(name, code, *a, **k): S.append((name, system(code, *a, **k)))

# Every projection: upright, oblique, with its parameters.
for code, sets in {
    'AZP': [dict(PV2_1=2.5, PV2_2=30.), dict(PV2_1=0.5, PV2_2=-40.), dict(PV2_1=-3.)],
    'SZP': [dict(PV2_1=2., PV2_2=180., PV2_3=60.), dict(PV2_1=0.7, PV2_2=35., PV2_3=50.), dict(PV2_1=-2.5, PV2_2=10., PV2_3=80.)],
    'TAN': [dict()], 'STG': [dict()], 'ARC': [dict()], 'ZEA': [dict()],
    'SIN': [dict(), dict(PV2_1=0.3, PV2_2=-0.4), dict(PV2_1=-1.2, PV2_2=0.1)],
    'ZPN': [dict(PV2_1=1., PV2_3=-0.05), dict(PV2_0=0.05, PV2_1=0.95, PV2_2=-0.025, PV2_3=-0.16, PV2_4=0.05), dict(PV2_1=1.), dict(PV2_1=1., PV2_3=220., PV2_5=-3000.)],
    'AIR': [dict(), dict(PV2_1=45.), dict(PV2_1=-20.)],
    'CYP': [dict(), dict(PV2_1=0.3, PV2_2=0.8), dict(PV2_1=3., PV2_2=0.5)],
    'CEA': [dict(), dict(PV2_1=0.6)],
    'CAR': [dict()], 'MER': [dict()], 'SFL': [dict()], 'PAR': [dict()], 'MOL': [dict()], 'AIT': [dict()],
    'COP': [dict(PV2_1=45., PV2_2=25.), dict(PV2_1=-35., PV2_2=0.)],
    'COE': [dict(PV2_1=45., PV2_2=25.), dict(PV2_1=-35., PV2_2=0.)],
    'COD': [dict(PV2_1=45., PV2_2=25.), dict(PV2_1=-35., PV2_2=0.)],
    'COO': [dict(PV2_1=45., PV2_2=25.), dict(PV2_1=-35., PV2_2=0.)],
    'BON': [dict(PV2_1=45.), dict(PV2_1=-60.), dict(PV2_1=0.)],
    'PCO': [dict()], 'TSC': [dict()], 'CSC': [dict()], 'QSC': [dict()],
    'HPX': [dict(), dict(PV2_1=6., PV2_2=3.), dict(PV2_1=4., PV2_2=4.), dict(PV2_1=3., PV2_2=2.)],
    'XPH': [dict()],
    'NCP': [dict()], 'GLS': [dict()],
}.items():
    for n, pv in enumerate(sets):
        add(f'{code} {n} upright', code, 0., 90. if code in ('AZP', 'SZP', 'TAN', 'STG', 'ARC', 'ZEA', 'SIN', 'ZPN', 'AIR', 'XPH', 'NCP') else pv.get('PV2_1', 0.) if code in ('COP', 'COE', 'COD', 'COO') else 0., **pv)
        add(f'{code} {n} oblique', code, 200., -25., CDELT1=-2., CDELT2=2.5, **pv)
        if code not in ('NCP', 'GLS'): add(f'{code} {n} turned', code, 310., 12., LONPOLE=150., CDELT1=1.5, CDELT2=1.5, **pv)

# The linear part and its units.
add('PC and CDELT', 'TAN', PC1_1=0.8, PC1_2=-0.6, PC2_1=0.6, PC2_2=0.8)
add('PC with absent elements', 'TAN', PC1_2=-0.3)
add('PC of the old form', 'TAN', PC001001=0.8, PC001002=-0.6, PC002001=0.6, PC002002=0.8)
add('CD with absent elements', 'TAN', CDELT1=None, CDELT2=None, CD1_2=-0.3, CD2_1=0.2)
add('CD beside CDELT', 'TAN', CD1_1=-0.3, CD1_2=0.02, CD2_1=0.03, CD2_2=0.31)
add('CD and PC', 'TAN', CD1_1=-0.3, CD2_2=0.31, PC1_1=0.9, PC1_2=0.1)
add('CROTA2', 'TAN', CROTA2=35.)
add('CROTA1 alone', 'TAN', CROTA1=35.)
add('CROTA2 with oblong pixels', 'SIN', CROTA2=-100., CDELT1=-1.)
add('CROTA2 beside PC', 'SIN', CROTA2=-100., PC1_2=0.1)
add('CUNIT arcsec', 'TAN', lon=40*3600., lat=30*3600., CDELT1=-2700., CDELT2=2700., CUNIT1='arcsec', CUNIT2='arcsec')
add('CUNIT arcmin and rad', 'TAN', lon=40*60., lat=0.5, CDELT1=-45., CDELT2=0.013, CUNIT1='arcmin', CUNIT2='rad')
add('no CRPIX', 'TAN', CRPIX1=None, CRPIX2=None)
add('no CRVAL', 'CAR', CRVAL1=None, CRVAL2=None)
add('no CDELT', 'TAN', CDELT1=None, CDELT2=None)
add('CRPIX far outside', 'TAN', CRPIX1=-25000.5, CRPIX2=31000., CDELT1=-0.0001, CDELT2=0.0001)
S.append(('latitude first', {'CTYPE1': 'DEC--TAN', 'CTYPE2': 'RA---TAN', 'CRPIX1': 51.5, 'CRPIX2': 37.25, 'CRVAL1': 30., 'CRVAL2': 40., 'CDELT1': 0.75, 'CDELT2': -0.5, 'CROTA1': 20., 'RADESYS': 'ICRS'}))
S.append(('latitude first, CD, PV', {'CTYPE1': 'DEC--SIN', 'CTYPE2': 'RA---SIN', 'CRPIX1': 51.5, 'CRPIX2': 37.25, 'CRVAL1': 30., 'CRVAL2': 40., 'CD1_1': 0.7, 'CD1_2': 0.1, 'CD2_1': 0.05, 'CD2_2': -0.7, 'PV1_1': 0.1, 'PV1_2': 0.2, 'RADESYS': 'ICRS'}))

# The native pole.
for lat in (90., -90., 0., 45.): add(f'LONPOLE by default, zenithal at {lat:g}', 'TAN', 40., lat)
for lat in (90., -90., 0., 45., -45.): add(f'LONPOLE by default, cylindrical at {lat:g}', 'CAR', 40., lat)
add('LONPOLE 0 at the north pole', 'TAN', 40., 90., LONPOLE=0.)
add('LATPOLE 45, LONPOLE 60', 'CAR', 40., 20., LONPOLE=60., LATPOLE=45.)
add('LATPOLE -45, LONPOLE 60', 'CAR', 40., 20., LONPOLE=60., LATPOLE=-45.)
add('LATPOLE alone decides', 'CAR', 40., 0., LONPOLE=90., LATPOLE=35.)
add('LATPOLE of a cone', 'COE', 40., -10., LONPOLE=100., LATPOLE=-90., PV2_1=45., PV2_2=10.)
add('PV1_3 before LONPOLE', 'TAN', LONPOLE=10., PV1_3=75.)
add('PV1_4 before LATPOLE', 'CAR', 40., 20., LONPOLE=60., LATPOLE=45., PV1_4=-45.)
add('PV1_1, PV1_2: another fiducial point', 'CAR', 40., 20., PV1_1=15., PV1_2=25.)
add('PV1_0: with its offset', 'CAR', 40., 20., PV1_0=1., PV1_1=15., PV1_2=25.)
add('PV1_0 of a zenithal projection', 'ARC', 40., 20., PV1_0=1., PV1_1=15., PV1_2=65.)

# Distortions.
tpv = dict(PV1_0=0.001, PV1_1=1.01, PV1_2=0.002, PV1_3=0.003, PV1_4=0.004, PV1_7=0.005, PV1_11=0.002, PV1_12=0.001, PV1_17=0.0003, PV1_23=0.0001, PV1_24=0.0001, PV1_31=0.00002, PV1_39=0.00001,
           PV2_1=0.99, PV2_2=-0.001, PV2_5=0.004, PV2_8=-0.003, PV2_10=0.001, PV2_16=0.0004, PV2_22=0.0002, PV2_30=0.00003, PV2_38=0.00001)
small = dict(CDELT1=-0.01, CDELT2=0.01)
add('TPV', 'TPV', CDELT1=None, CDELT2=None, CD1_1=-0.01, CD1_2=0.001, CD2_2=0.01, **tpv)  # wcslib applies TPV before CDELT: the convention knows CD only
add('TAN with PV2_m', 'TAN', PV2_1=0.9, PV2_2=0.3, PV2_5=0.1)
sip = dict(A_ORDER=3, B_ORDER=2, A_0_2=1e-5, A_2_0=-2e-5, A_1_1=3e-6, A_3_0=1e-7, A_1_0=1e-4, A_0_0=0.01, B_2_0=1e-5, B_1_1=-1e-5, B_0_2=4e-6)
add('SIP', 'TAN-SIP', **small, **sip)
add('SIP with AP and BP', 'TAN-SIP', **small, **sip, AP_ORDER=2, BP_ORDER=2, AP_2_0=2e-5, BP_2_0=-1e-5)
add('SIP on SIN', 'SIN-SIP', **small, **sip)
add('SIP keywords without -SIP', 'TAN', **small, **sip)
add('SIP and SCAMP', 'TAN-SIP', **small, **sip, PV1_0=0., PV1_1=1.01, PV2_1=0.99)

# A plate of the Digitized Sky Survey: every term of its polynomials, alone and beside a CTYPE.
plate = {'PLTRAH': 14, 'PLTRAM': 37, 'PLTRAS': 46.88253, 'PLTDECSN': '-', 'PLTDECD': 60, 'PLTDECM': 12, 'PLTDECS': 59.28761, 'CNPIX1': 6940, 'CNPIX2': 6950,
         'XPIXELSZ': 25.28445, 'YPIXELSZ': 25.3, 'PPO3': 176616.9833815, 'PPO6': 177193.56115606, 'RADESYS': 'ICRS'}
for n, (a, b) in enumerate(zip([67.226, -0.23, 1.09, 1.1e-2, 5.5e-2, -3.8e-2, 1e-3, 2.2e-3, 1.0e-2, 2.3e-3, 1.8e-3, 2e-3, 1e-4], [67.233, 0.226, -0.527, -7.3e-3, 1.9e-2, -5.6e-3, 2e-3, 2.2e-3, 1e-3, 2.1e-3, -1.5e-3, 1e-3, -1e-4])):
    plate[f'AMDX{n+1}'], plate[f'AMDY{n+1}'] = a, b
S.append(('DSS plate', plate))
S.append(('DSS plate beside TAN', {**plate, **system('TAN', 219., -60.), 'PLTDECSN': '-'}))

def unit(l, b):
    l, b = np.deg2rad(l), np.deg2rad(b)
    return np.stack([np.cos(b)*np.cos(l), np.cos(b)*np.sin(l), np.sin(b)], -1)

print(json.dumps({'wcslib': _wcs.__version__, 'astropy': astropy.__version__, 'by': 'scripts/golden/wcs.py'}))
for k, (name, cards) in enumerate(S):
    h = fits.Header()
    h['NAXIS'], h['NAXIS1'], h['NAXIS2'] = 2, 100, 80
    for key, v in cards.items(): h[key] = v
    try:
        w = WCS(h)
    except _wcs.InvalidTransformError:
        print(json.dumps({'name': name, 'cards': cards, 'refused': True}, separators=(',', ':')))
        continue
    r = np.random.default_rng(k)
    distorted = 'TPV' in h.get('CTYPE1', '') or 'A_ORDER' in h or 'AMDX1' in h
    span = 1 if distorted else 2.5
    pix = np.round(np.concatenate([r.uniform(0.5, [100.5, 80.5], (10, 2)), 50+span*r.uniform(-100, 100, (6, 2))]), 3)
    lng, lat = w.wcs.lng, w.wcs.lat
    sky = w.all_pix2world(pix, 1)[:, [lng, lat]]
    clean = lambda a: [[float(f'{v:.15g}') for v in p] if np.isfinite(p).all() else None for p in a]
    if distorted: # the inverse: what leads to the pixels, which are the truth
        d, at = sky, pix
    else:
        d = np.round(np.stack([r.uniform(0, 360, 16), np.rad2deg(np.arcsin(r.uniform(-1, 1, 16)))], 1), 6)
        at = w.wcs_world2pix(d if lng == 0 else d[:, ::-1], 1)
        good = np.isfinite(at).all(1)
        s = w.wcs_pix2world(at[good], 1)[:, [lng, lat]]
        keep = np.ones(16, bool)
        keep[good] = np.linalg.norm(unit(s[:, 0], s[:, 1])-unit(d[good, 0], d[good, 1]), axis=1) < 1e-9  # one to one there
        d, at = d[keep], at[keep]
    print(json.dumps({'name': name, 'cards': cards, 'pix': pix.tolist(), 'sky': clean(sky), 'dir': [[float(f'{v:.15g}') for v in p] for p in d], 'at': clean(at)}, separators=(',', ':'), allow_nan=False))
