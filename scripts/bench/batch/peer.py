"""Cuts stamps as a script of a careful user does: peer.py FOLDER ROWS.csv OUT SIDE.

One process for each core; rows grouped by image; all positions of an image by astropy at once,
pixels by python-fitsio from the open file, each stamp written as a FITS file with its grid moved.
"""
import csv, multiprocessing, os, sys, time
from collections import defaultdict
import fitsio
from astropy.wcs import WCS
from astropy.io import fits

folder, rows, out, side = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def cut(job):
    name, group = job
    path = os.path.join(folder, name)
    ext = 1 if name.endswith(".fz") else 0
    header = fits.getheader(path, ext)
    w = WCS(header)
    x, y = w.all_world2pix([r[1] for r in group], [r[2] for r in group], 0)
    n = 0
    with fitsio.FITS(path) as f:
        hdu = f[ext]
        h = hdu.read_header()
        h.clean()
        ny, nx = hdu.get_dims()
        for (label, _, _), cx, cy in zip(group, x, y):
            x0, y0 = int(round(cx - side / 2 + 0.5)), int(round(cy - side / 2 + 0.5))
            x1, y1 = min(x0 + side, nx), min(y0 + side, ny)
            x0, y0 = max(x0, 0), max(y0, 0)
            if x0 >= x1 or y0 >= y1:
                continue
            stamp = hdu[y0:y1, x0:x1]
            h["CRPIX1"], h["CRPIX2"] = header["CRPIX1"] - x0, header["CRPIX2"] - y0
            fitsio.write(os.path.join(out, label + ".fits"), stamp, header=h, clobber=True)
            n += 1
    return n


if __name__ == "__main__":
    groups = defaultdict(list)
    with open(rows) as f:
        for r in csv.DictReader(f):
            groups[r["ID"].split("?")[1]].append((r["label"], float(r["ra"]), float(r["dec"])))
    os.makedirs(out, exist_ok=True)
    start = time.time()
    with multiprocessing.Pool(os.cpu_count()) as pool:
        n = sum(pool.imap_unordered(cut, sorted(groups.items())))
    print("%d %.3f" % (n, time.time() - start))
