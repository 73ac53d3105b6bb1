#!/usr/bin/python3
"""Write pkg/stencil/testdata/stencils.csv: stencils, directions, and whether the one contains the other.

    scripts/golden/stencils.py > pkg/stencil/testdata/stencils.csv

The formulas are not those of the package: separations by astropy's Vincenty formula, longitudes and latitudes compared as
numbers, polygons by the sum of the angles under which a direction sees the edges. Everything is computed in 80-bit floats.
Directions lie anywhere, near the stencil, and 1e-9 degrees inside and outside of its border.
"""
import sys
import astropy
import numpy as np
from astropy.coordinates import angular_separation

L = np.longdouble
rng = np.random.default_rng(20260101)
DEG = L('3.14159265358979323846264338327950288') / 180


def unit(lon, lat):
    a, d = L(lon) * DEG, L(lat) * DEG
    return np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


def lonlat(v):
    return float(np.arctan2(v[1], v[0]) / DEG % 360), float(np.arctan2(v[2], np.hypot(v[0], v[1])) / DEG)


def circle(v, lon, lat):
    return angular_separation(L(v[0]) * DEG, L(v[1]) * DEG, L(lon) * DEG, L(lat) * DEG) <= L(v[2]) * DEG


def lonlatrange(v, lon, lat):
    inlon = abs(lat) == 90 or (v[0] <= lon <= v[1] if v[0] <= v[1] else lon >= v[0] or lon <= v[1])  # a pole has every longitude
    return inlon and v[2] <= lat <= v[3]


def polygon(v, lon, lat):
    """for polygons within 90 degrees of the mean of their corners"""
    p = unit(lon, lat)
    c = [unit(a, b) for a, b in zip(v[0::2], v[1::2])]
    if p @ sum(c) <= 0:
        return False
    t = [x - p * (p @ x) for x in c]        # tangents at p towards the corners
    turn = L(0)
    for a, b in zip(t, t[1:] + t[:1]):
        turn += np.arctan2(np.cross(a, b) @ p, a @ b)
    return abs(turn) > np.pi


def beside(a, b, eps):
    """the direction eps degrees from b, away from a"""
    n = np.cross(a, b)
    e = np.cross(n / np.linalg.norm(n), b)
    return b * np.cos(eps * DEG) + e * np.sin(eps * DEG)


def rows(kind, v, contains, borders, middle, size):
    text = kind + ' ' + ' '.join(repr(float(x)) for x in v)
    m = unit(*middle)
    at = [lonlat(w / np.linalg.norm(w)) for w in rng.normal(size=(8, 3)).astype(L)]
    at += [lonlat(w / np.linalg.norm(w)) for w in m + min(size, 60) * DEG * rng.normal(size=(16, 3)).astype(L)]
    for b in borders:
        for eps in (-1e-9, 1e-9):
            at.append(lonlat(beside(m, b, L(eps))))
    for lon, lat in at:
        print(f'{text},{lon!r},{lat!r},{int(contains(v, lon, lat))}')


print(f'# numpy {np.__version__}, astropy {astropy.__version__}, python {sys.version.split()[0]}; scripts/golden/stencils.py')
print('stencil,lon,lat,inside')
for lon, lat in [(10.5, -20), (0, 0), (359.9999, 45), (123, 89.99), (45, -90), (77, 90), (200, 1e-7)]:
    for r in (1e-6, 0.003, 1.5, 60, 90, 150):
        c = unit(lon, lat)
        e = np.cross(c, [L(0.3), L(0.5), L(0.7)]); e /= np.linalg.norm(e)
        f = np.cross(c, e)
        ring = [np.cos(r * DEG) * c + np.sin(r * DEG) * (np.cos(L(a)) * e + np.sin(L(a)) * f) for a in rng.uniform(0, 6.28, 6)]
        rows('CIRCLE', (lon, lat, r), circle, ring, (lon, lat), r)
for v in [(12, 14, 34, 36), (359, 1, -1, 1), (0, 360, -2, 2), (0, 360, 89, 90), (350, 10, 80, 90), (10, 200, -90, -70), (200, 190, -5, 5), (5, 5.001, 60, 60.001)]:
    w = (v[1] - v[0]) % 360 or 360
    mid = ((v[0] + w / 2) % 360, (v[2] + v[3]) / 2)
    text = 'RANGE ' + ' '.join(repr(float(x)) for x in v)
    at = [(rng.uniform(0, 360), rng.uniform(-90, 90)) for _ in range(10)]
    at += [((mid[0] + rng.normal() * w / 2) % 360, float(np.clip(mid[1] + rng.normal() * (v[3] - v[2]) / 2, -90, 90))) for _ in range(20)]
    at += [((v[i] + s * 1e-9) % 360, rng.uniform(v[2], v[3])) for i in (0, 1) for s in (-1, 1)]
    at += [((v[0] + rng.uniform(0, w)) % 360, v[i] + s * 1e-9) for i in (2, 3) for s in (-1, 1) if abs(v[i]) < 90]
    for lon, lat in at:
        print(f'{text},{lon!r},{lat!r},{int(lonlatrange(v, lon, lat))}')
for lon, lat in [(10, 20), (0, 0), (300, 89.9), (90, -89.99), (359.99, 60)]:
    for size in (1e-5, 0.02, 2, 40):
        n = int(rng.integers(3, 8))
        c = unit(lon, lat)
        e = np.cross(c, [L(0.3), L(0.5), L(0.7)]); e /= np.linalg.norm(e)
        f = np.cross(c, e)
        v, corners = [], []
        for i in range(n):
            a, r = (i + rng.uniform(0, .8)) * 2 * np.pi / n, size * rng.uniform(.3, 1)
            x = lonlat(np.cos(r * DEG) * c + np.sin(r * DEG) * (np.cos(L(a)) * e + np.sin(L(a)) * f))
            v += x
            corners.append(unit(*x))
        if rng.integers(2):
            v = [x for i in range(n - 1, -1, -1) for x in v[2 * i:2 * i + 2]]
            corners.reverse()
        edges = []
        for a, b in zip(corners, corners[1:] + corners[:1]):
            t = L(rng.uniform(.1, .9))
            p = a * (1 - t) + b * t
            edges.append(p / np.linalg.norm(p))
        rows('POLYGON', v, polygon, edges, (lon, lat), size)
