"""Print what astropy reads in a FITS file, checking CHECKSUM and DATASUM, as JSON.

usage: pixels.py FILE

Any warning, above all one of a wrong sum, ends the program with an error. Each HDU gives
{"shape" with NAXIS1 first, "pixels": base64 of little-endian float64 for
images, "text": ORIGIN}; images above 8 MB are read and their pixels left out. Used by
pkg/fits/writer_test.go at test time.
"""

import base64
import json
import sys
import warnings

from astropy.io import fits

warnings.simplefilter("error")
out = []
with fits.open(sys.argv[1], checksum=True, memmap=False) as f:
    f.verify("exception")
    for hdu in f:
        if "DATASUM" not in hdu.header or "CHECKSUM" not in hdu.header:
            sys.exit(f"HDU {f.index(hdu)} has no sums")
        entry = {"shape": [], "pixels": "", "text": hdu.header.get("ORIGIN", "")}
        if hdu.is_image and hdu.data is not None:
            entry["shape"] = list(hdu.data.shape[::-1])
            if hdu.data.nbytes < 8 << 20:
                entry["pixels"] = base64.b64encode(hdu.data.astype("<f8").tobytes()).decode()
        out.append(entry)
print(json.dumps(out))
