#!/usr/bin/python3
"""Writes pkg/wcs/testdata/frames.csv: directions in several frames and the same in ICRS, after astropy.coordinates.

Columns: CTYPE of the longitude axis, RADESYS, EQUINOX (empty: the card is absent), longitude, latitude, ICRS right ascension,
declination, in degrees. Equinoxes are Besselian years for FK4, Julian ones otherwise, as astropy.wcs.utils and Paper II have them.
Usage: frames.py > frames.csv"""
import numpy as np
import astropy, erfa
from astropy import units as u
from astropy.coordinates import SkyCoord, FK4, FK4NoETerms, FK5, ICRS, Galactic, Supergalactic, BarycentricMeanEcliptic
from astropy.time import Time

print(f'# astropy {astropy.__version__}, pyerfa {erfa.__version__}; by scripts/golden/frames.py')
jyear = lambda y: Time(y, format='jyear')
byear = lambda y: Time(y, format='byear')
rows = [('RA', '', '', ICRS()), ('RA', 'ICRS', 2000., ICRS()), ('RA', 'ICRS', 1950., ICRS()), ('RA', '', 2000., FK5()), ('RA', '', 1984., FK5(equinox=jyear(1984.))),
        ('RA', '', 1983.9, FK4(equinox=byear(1983.9))), ('RA', '', 1950., FK4(equinox=byear(1950.))), ('RA', 'FK5', '', FK5()), ('RA', 'FK4', '', FK4(equinox=byear(1950.))),
        ('RA', 'FK5', 1950., FK5(equinox=jyear(1950.))), ('RA', 'FK5', 2025.5, FK5(equinox=jyear(2025.5))), ('RA', 'FK4', 1900., FK4(equinox=byear(1900.))),
        ('RA', 'FK4', 1975., FK4(equinox=byear(1975.))), ('RA', 'FK4-NO-E', '', FK4NoETerms(equinox=byear(1950.))), ('RA', 'FK4-NO-E', 1960., FK4NoETerms(equinox=byear(1960.))),
        ('GLON', '', '', Galactic()), ('GLON', 'FK4', 1950., Galactic()), ('SLON', '', '', Supergalactic()),
        ('ELON', '', '', BarycentricMeanEcliptic()), ('ELON', '', 2010., BarycentricMeanEcliptic(equinox=jyear(2010.)))]
r = np.random.default_rng(5)
for ctype, radesys, equinox, frame in rows:
    lon = np.round(np.append(r.uniform(0, 360, 4), [0., 123.456]), 6)
    lat = np.round(np.append(np.rad2deg(np.arcsin(r.uniform(-1, 1, 4))), [90., -89.9999]), 6)
    s = SkyCoord(lon*u.deg, lat*u.deg, frame=frame).icrs
    for i in range(6): print(f'{ctype},{radesys},{equinox},{lon[i]!r},{lat[i]!r},{s.ra.deg[i]!r},{s.dec.deg[i]!r}')
