"""Print what astropy reads in the headers of FITS files, one JSON object a line.

usage: headers.py FILE...

The first line names the versions. A FITS file gives {"file", "hdus": [{"header",
"data", "size", "bitpix", "shape", "cards"}]} with offsets in bytes (of the inflated file
for .gz) and the shape as NAXIS1 first; a text file of cards (.hdr, .txt) gives one HDU
with cards alone. A card is [keyword, kind, value], CONTINUE cards joined; numbers are
written so that they are exact. Used by pkg/fits/real_test.go at test time.
"""

import gzip
import json
import sys
import warnings

import astropy
from astropy.io import fits
from astropy.io.fits.card import Undefined

warnings.simplefilter("ignore")
COMMENTARY = {"", "COMMENT", "HISTORY", "END"}


def card(c):
    hierarch = c.image.startswith("HIERARCH ")
    if not hierarch and "=" not in c.image[:9] and not c.image[8:].lstrip().startswith("="):
        return None  # no value indicator: commentary, which astropy takes for a string
    if c.field_specifier:  # a record-valued card: the string as it stands
        return [c.rawkeyword, "string", c.rawvalue]
    try:
        keyword, value = c.keyword, c.value
    except Exception as e:
        return [str(c.image[:8]).strip(), "unreadable", str(e)]
    if keyword.upper() in COMMENTARY:
        return None
    if value is None or isinstance(value, Undefined):
        return [keyword, "undefined", ""]
    if isinstance(value, bool):
        return [keyword, "logical", "T" if value else "F"]
    if isinstance(value, int):
        return [keyword, "integer", str(value)]
    if isinstance(value, float):
        return [keyword, "real", value.hex()]
    if isinstance(value, complex):
        return [keyword, "complex", ""]
    return [keyword, "string", value]


def cards(header):
    return [x for x in map(card, header.cards) if x]


def hdus(path):
    raw = open(path, "rb").read()
    if raw.startswith(b"\x1f\x8b"):
        raw = gzip.decompress(raw)
    with fits.open(path, disable_image_compression=True, lazy_load_hdus=False, memmap=False) as f:
        for hdu in f:
            at, data = hdu._header_offset, hdu._data_offset
            header = fits.Header.fromstring(raw[at:data])
            yield {
                "header": at,
                "data": data,
                "size": hdu.size,
                "bitpix": header["BITPIX"],
                "shape": [header[f"NAXIS{i + 1}"] for i in range(header["NAXIS"])],
                "cards": cards(header),
            }


print(json.dumps({"versions": f"astropy {astropy.__version__}, Python {sys.version.split()[0]}"}))
for path in sys.argv[1:]:
    if path.endswith((".hdr", ".txt")):
        text = open(path, "rb").read().rstrip(b"\r\n").decode("latin-1")
        result = [{"cards": cards(fits.Header.fromstring(text))}]
    else:
        result = list(hdus(path))
    print(json.dumps({"file": path, "hdus": result}))
