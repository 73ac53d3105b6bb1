"""What a notebook does with /links: pyvo_links.py BASE ID CIRCLE. Exits with 1 at the first surprise.

DL-10: pyvo finds the service by its standardID, and sends what the user gives it."""
import sys
from io import BytesIO
from urllib.parse import quote

import astropy.units as u
from astropy.io import fits
from pyvo.dal.adhoc import DatalinkResults
from pyvo.dal.exceptions import DALQueryError

base, ident, circle = sys.argv[1:4]
ra, dec, radius = map(float, circle.split())


def check(what, ok):
    if not ok:
        sys.exit("FAIL " + what)


def image(stream):
    with fits.open(BytesIO(stream.read()), checksum=True) as f:
        return next(h.data.shape for h in f if h.data is not None)


url = base + "/links?ID=" + quote(ident, safe="")
links = DatalinkResults.from_result_url(url)
check("three links", [link.semantics for link in links] == ["#this", "#cutout", "#proc"])
check("they are of the dataset", {link.id for link in links} == {ident})
check("two services", len(list(links.iter_procs())) == 2)
sync = links.get_first_proc()
check("the first is sync", sync.access_url == base + "/sync")
check("process by a circle", image(sync.process(circle=(ra * u.deg, dec * u.deg, radius * u.deg))) == image(sync.process(circle=(ra, dec, radius))))
service = links.get_adhocservice_by_ivoid("ivo://ivoa.net/std/SODA#sync-1.0")
names = [p.name for p in next(g for g in service.groups if g.name == "inputParams").entries]
check("the parameters", names[:4] == ["ID", "CIRCLE", "POLYGON", "POS"])
check("async is announced", links.get_adhocservice_by_ivoid("ivo://ivoa.net/std/SODA#async-1.0") is not None)
polygon = [ra - radius, dec - radius, ra + radius, dec - radius, ra, dec + radius]
check("process by a polygon", len(image(sync.process(polygon=polygon))) == 2)

# several datasets: each its rows, its descriptors, and what is wrong with one of them
other = ident.replace("starfield", "exposure")
both = DatalinkResults.from_result_url(base + "/links?" + "&".join("ID=" + quote(i, safe="") for i in (ident, "nothing", other)))
rows = [(link.id, link.semantics, bool(link.error_message)) for link in both]
check("rows of one ID follow each other", rows == [(ident, s, False) for s in ("#this", "#cutout", "#proc")] + [("nothing", "#this", True)] + [(other, s, False) for s in ("#this", "#cutout", "#proc")])
check("the error", both[3].error_message.startswith("NotFoundFault: "))
check("the second dataset is cut by its own descriptor", len(image(both[5].process(circle=(ra, dec, radius)))) == 2)

# an error is one that pyvo shows
try:
    DatalinkResults.from_result_url(base + "/links?RESPONSEFORMAT=csv")
    sys.exit("FAIL no error")
except DALQueryError as error:
    check("the error's text", "want votable" in str(error))
print("pyvo is content")
