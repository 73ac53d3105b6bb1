"""Compress small images with fpack and read them with CFITSIO, as JSON lines.

usage: tiles.py > pkg/fits/tile/testdata/tiles.jsonl

The first line names the versions. Every other line is one tile: how its image is stored,
in the words of package tile, its bytes and the big-endian pixels that CFITSIO's image
section has for it, both in base64. Images are 12 × 10 pixels, in tiles of 12 × 5.
"""

import base64
import json
import pathlib
import struct
import subprocess
import tempfile
import warnings

import astropy
import numpy as np
from astropy.io import fits

warnings.simplefilter("ignore")
NX, NY, ROWS = 12, 10, 5
DTYPES = {8: "u1", 16: ">i2", 32: ">i4", -32: ">f4", -64: ">f8"}
COLUMNS = ["COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA"]
DITHERS = {None: 0, "NO_DITHER": 0, "SUBTRACTIVE_DITHER_1": 1, "SUBTRACTIVE_DITHER_2": 2}


def image(rng, bitpix, options):
    pixels = np.round(rng.normal(50, 8, (NY, NX)))
    pixels[2, 3:7] = 100
    pixels[7] = 30
    if "-p" not in options and "-s" not in options:  # masks are positive; CFITSIO refuses what overflows
        pixels[8, 4] = -40
        if bitpix > 8:
            pixels[1, 1], pixels[6, 6] = -(2 ** min(bitpix - 1, 20)) if bitpix > 0 else -9, 2 ** 14
    if bitpix < 0 and "-d" not in options:  # fpack -d writes a number for NaN
        pixels += rng.uniform(size=pixels.shape)
        pixels[0, 5] = pixels[9, 9] = np.nan
        pixels[3, 3] = 0
    return np.clip(pixels, 0, 255).astype("u1") if bitpix == 8 else pixels.astype(DTYPES[bitpix])


def tiles(name, folder, pixels, bitpix, options, smooth):
    plain, packed, copied = folder / "plain.fits", folder / "packed.fits", folder / "copied.fits"
    for path in (plain, packed, copied):
        path.unlink(missing_ok=True)
    fits.PrimaryHDU(pixels).writeto(plain)
    subprocess.run(["fpack", "-t", f"{NX},{ROWS}", *options, "-O", packed, plain], check=True)
    if smooth:  # fpack writes SMOOTH = 0
        off = b"ZVAL2   =                    0"
        data = packed.read_bytes()
        assert data.count(off) == 1
        packed.write_bytes(data.replace(off, off[:-1] + b"1"))
    subprocess.run(["fitscopy", f"{packed}[1][*,*]", copied], check=True, stdout=subprocess.DEVNULL)
    with fits.open(copied, do_not_scale_image_data=True) as f:
        want = next(h.data for h in f if h.data is not None).astype(DTYPES[bitpix]).tobytes()
    with fits.open(packed, disable_image_compression=True) as f:
        header, table, raw = f[1].header, f[1].data, packed.read_bytes()
        start = f[1].fileinfo()["datLoc"]
        heap = start + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
        parameters = {header[f"ZNAME{i}"]: header[f"ZVAL{i}"] for i in range(1, 9) if f"ZNAME{i}" in header}
        size = abs(bitpix) // 8 * NX * ROWS
        for number in range(NY // ROWS):
            for column, key in enumerate(COLUMNS):
                if key not in table.names:
                    continue
                index = table.names.index(key)
                field = start + number * header["NAXIS1"] + table.dtype.fields[key][1]
                descriptor, element = header[f"TFORM{index + 1}"][1:3]
                form = {"P": ">ii", "Q": ">qq"}[descriptor]
                count, at = struct.unpack_from(form, raw, field)
                width = {"B": 1, "I": 2, "J": 4, "E": 4}[element]
                if count:
                    data = raw[heap + at:heap + at + count * width]
                    break
            quantised = "ZSCALE" in table.names
            yield {
                "name": f"{name}, tile {number + 1}", "codec": header["ZCMPTYPE"], "bitpix": bitpix,
                "quantised": quantised, "dither": DITHERS[header.get("ZQUANTIZ")], "seed": header.get("ZDITHER0", 0),
                "blocksize": parameters.get("BLOCKSIZE", 0), "bytepix": parameters.get("BYTEPIX", 0),
                "smooth": bool(parameters.get("SMOOTH", 0)), "number": number, "column": column,
                "scale": float(table["ZSCALE"][number]) if quantised else 0,
                "zero": float(table["ZZERO"][number]) if quantised else 0,
                "blank": header.get("ZBLANK", 0), "has_blank": "ZBLANK" in header,
                "data": base64.b64encode(data).decode(),
                "pixels": base64.b64encode(want[number * size:][:size]).decode(),
            }


def main():
    version = subprocess.run(["fpack", "-V"], capture_output=True, text=True).stdout.strip()
    print(json.dumps({"versions": f"{version}; astropy {astropy.__version__}; numpy {np.__version__}"}))
    rng = np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as folder:
        for bitpix in DTYPES:
            ways = [(["-r"], False), (["-g1"], False), (["-g2"], False), (["-h"], False), (["-h", "-s", "-5"], False),
                    (["-h", "-s", "-5"], True)]
            if bitpix in (8, 16):
                ways.append((["-p"], False))
            if bitpix in (16, 32, -32):
                ways.append((["-d"], False))
            if bitpix < 0:
                ways = [(w + q, s) for w, s in ways for q in (["-q77", "4"], ["-qz10000", "4"], ["-q0", "4"])]
                ways += [(["-g1", "-q", "0"], False), (["-g2", "-q", "0"], False)]
            for options, smooth in ways:
                name = f"BITPIX {bitpix}, fpack {' '.join(options)}" + (", SMOOTH" if smooth else "")
                pixels = image(rng, bitpix, options)
                for line in tiles(name, pathlib.Path(folder), pixels, bitpix, options, smooth):
                    print(json.dumps(line))


main()
