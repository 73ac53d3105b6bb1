"""Makes the images of the measurement: make_images.py FOLDER COUNT SIDE.

Noise and round sources on a TAN grid of 0.2", float32. Every second image is compressed by
RICE_1 in tiles of 256 x 256, the others are plain. Beside them: images.json, where each one is.
"""
import json, os, sys
import numpy as np
import fitsio

folder, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.makedirs(folder, exist_ok=True)
rng = np.random.default_rng(12)
sky = rng.normal(100, 5, (side, side)).astype("f4")
y, x = np.mgrid[-15:16, -15:16]
source = np.exp(-(x * x + y * y) / 18.0).astype("f4")
for _ in range(side * side // 20000):
    i, j = rng.integers(16, side - 16, 2)
    sky[i - 15:i + 16, j - 15:j + 16] += rng.uniform(50, 5000) * source
images = []
for k in range(count):
    ra, dec = 150 + 0.3 * (k % 10), 2 + 0.3 * (k // 10)
    name = "image%02d.fits" % k + (".fz" if k % 2 else "")
    images.append({"name": name, "ra": ra, "dec": dec, "hdu": k % 2})
    path = os.path.join(folder, name)
    if os.path.exists(path):
        continue
    h = fitsio.FITSHDR()
    for key, v in (("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CRVAL1", ra), ("CRVAL2", dec), ("CRPIX1", side / 2 + 0.5), ("CRPIX2", side / 2 + 0.5),
                   ("CD1_1", -0.2 / 3600), ("CD1_2", 0.0), ("CD2_1", 0.0), ("CD2_2", 0.2 / 3600), ("RADESYS", "ICRS"), ("BUNIT", "nJy")):
        h.add_record({"name": key, "value": v})
    kwargs = {"compress": "RICE_1", "tile_dims": [256, 256], "qlevel": 4} if k % 2 else {}
    with fitsio.FITS(path + ".part", "rw", clobber=True) as f:
        f.write(np.roll(sky, 37 * k), header=h, **kwargs)
    os.rename(path + ".part", path)
json.dump(images, open(os.path.join(folder, "images.json"), "w"))
