#!/usr/bin/python3
"""Writes pkg/votable/testdata: one table in each serialization, as astropy writes it, and
its cells as astropy reads them.

    scripts/golden/votable.py
"""
import io
import json
import math
import pathlib

import astropy
import numpy as np
from astropy.io.votable import parse, parse_single_table
from astropy.io.votable.tree import Field, Resource, Table, VOTableFile

HERE = pathlib.Path(__file__).resolve().parents[2] / "pkg" / "votable" / "testdata"

FIELDS = [  # name, datatype, arraysize, and for each row the value, None where there is none
    ("id", "char", "*", ["ivo://x?a b.fits", "<&>\"'", ""]),
    ("label", "unicodeChar", "*", ["Ångström", "β Ori", ""]),
    ("code", "char", "4", ["ABCD", "EF", ""]),
    ("ok", "boolean", None, [True, False, None]),
    ("flag", "bit", None, [True, False, True]),
    ("flags", "bit", "11", [[True, False] * 5 + [True], [False] * 11, [True] * 11]),
    ("byte", "unsignedByte", None, [0, 255, None]),
    ("short", "short", None, [-32768, 32767, None]),
    ("int", "int", None, [-2147483648, 2147483647, None]),
    ("long", "long", None, [-9223372036854775808, 9223372036854775807, None]),
    ("ra", "double", None, [150.1163, 1e-300, math.inf]),
    ("mag", "float", None, [0.1, -1e30, -math.inf]),
    ("circle", "double", "3", [[10.5, -20.25, 0.125], [0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]),
    ("polygon", "double", "*", [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [], [0.5]]),
    ("pixels", "long", "2x2", [[[1, 2], [3, 4]], [[-1, -2], [-3, -4]], [[5, 6], [7, 8]]]),
    ("z", "doubleComplex", None, [1.5 - 2j, 0j, -1j]),
]


def build():
    document = VOTableFile(version="1.4")
    resource = Resource(type="results")
    document.resources.append(resource)
    table = Table(document)
    resource.tables.append(table)
    for name, datatype, arraysize, _ in FIELDS:
        table.fields.append(Field(document, ID=name, name=name, datatype=datatype, arraysize=arraysize))
        if datatype in ("unsignedByte", "short", "int", "long") and arraysize is None:
            table.fields[-1].values.null = 7  # what BINARY writes where there is no value
    table.create_arrays(3)
    for name, _, _, values in FIELDS:
        for row, value in enumerate(values):
            if value is None:
                table.array.mask[name][row] = True
            else:
                table.array[name][row] = np.array(value) if isinstance(value, list) else value
    return document


def plain(value):
    """A cell as JSON: numbers as text, so that none loses digits."""
    if value is np.ma.masked or value is None:
        return None
    if isinstance(value, (np.ma.MaskedArray, np.ndarray, list)):
        return [part for v in np.asarray(value).ravel() for part in (plain(v) if isinstance(plain(v), list) else [plain(v)])]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (np.floating, float)):
        return repr(float(value))
    if isinstance(value, (np.complexfloating, complex)):
        return [repr(float(value.real)), repr(float(value.imag))]
    if isinstance(value, (np.integer, int)):
        return str(int(value))
    return str(value)


def main():
    text = io.BytesIO()
    build().to_xml(text, tabledata_format="tabledata")
    document = parse(io.BytesIO(text.getvalue()))  # with masks inside of arrays, which binary rows need
    read = []
    for form in ("tabledata", "binary", "binary2"):
        buffer = io.BytesIO()
        document.to_xml(buffer, tabledata_format=form)
        (HERE / f"{form}.vot").write_bytes(buffer.getvalue())
        table = parse_single_table(io.BytesIO(buffer.getvalue()))
        read.append([[plain(table.array[name][i]) for name, *_ in FIELDS] for i in range(3)])
    assert read[0] == read[1] == read[2]
    (HERE / "rows.json").write_text(json.dumps({"by": f"astropy {astropy.__version__}", "rows": read[0]}, indent=1, ensure_ascii=False) + "\n")


main()
