"""pyvo against a running service: sync by SodaQuery, async by AsyncTAPJob, WAIT that blocks.

pyvo_client.py BASE ID "RA DEC RADIUS"
"""
import io
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore")
import pyvo
import requests
from astropy import units as u
from astropy.io import fits
from pyvo.dal.adhoc import SodaQuery
from pyvo.dal.tap import AsyncTAPJob
from pyvo.io import vosi
from pyvo.io.uws import parse_job_list

base, ident, circle = sys.argv[1:]
ra, dec, radius = (float(x) for x in circle.split())


def check(what, ok):
    print(("ok   " if ok else "FAIL ") + what)
    if not ok:
        sys.exit(1)


# VOSI, as pyvo parses it
capabilities = vosi.parse_capabilities(io.BytesIO(requests.get(base + "/capabilities").content))
standards = {c.standardid for c in capabilities}
check("capabilities name SODA", {"ivo://ivoa.net/std/SODA#sync-1.0", "ivo://ivoa.net/std/SODA#async-1.0"} <= standards)
check("availability", vosi.parse_availability(io.BytesIO(requests.get(base + "/availability").content)).available)

# sync
query = SodaQuery(base + "/sync", ID=ident)
query.circle = (ra * u.deg, dec * u.deg, radius * u.deg)
with fits.open(io.BytesIO(query.execute_stream().read()), checksum=True) as f:
    check("sync gives an image", f[0].data is not None and f[0].data.ndim == 2)

half = 0.7 * radius
query = SodaQuery(base + "/sync", ID=ident)
query.polygon = tuple(x * u.deg for x in (ra - half, dec - half, ra + half, dec - half, ra, dec + half))
with fits.open(io.BytesIO(query.execute_stream().read())) as f:
    check("POLYGON", f[0].data is not None)
query = SodaQuery(base + "/sync", ID=ident)
query.range = tuple(x * u.deg for x in (ra - half, ra + half, dec - half, dec + half))
with fits.open(io.BytesIO(query.execute_stream().read())) as f:
    check("POS=RANGE", f[0].data is not None)
check("POS=CIRCLE", requests.get(base + "/sync", params={"ID": ident, "POS": "CIRCLE " + circle}).status_code == 200)

# async: PENDING, RUN, WAIT, result, delete
made = requests.post(base + "/async", data={"ID": ident, "CIRCLE": circle}, allow_redirects=False)
check("create answers 303", made.status_code == 303)
job = AsyncTAPJob(made.headers["Location"])
check("a new job is PENDING", job.phase == "PENDING")
polls = []
session_get = requests.Session.get


def counted(self, url, **kwargs):
    if "WAIT" in str(kwargs.get("params", "")) or "WAIT" in url:
        polls.append(time.monotonic())
    return session_get(self, url, **kwargs)


requests.Session.get = counted
job.run()
job.wait(phases=["COMPLETED", "ERROR"], timeout=60)
check("the job is COMPLETED", job.phase == "COMPLETED")
check("WAIT blocked: %d polls" % len(polls), len(polls) <= 3)
idle = requests.post(base + "/async", data={"ID": ident, "CIRCLE": circle}, allow_redirects=False).headers["Location"]
threading.Timer(2, lambda: requests.post(idle + "/phase", data={"PHASE": "RUN"}, allow_redirects=False)).start()
began = time.monotonic()
requests.get(idle, params={"WAIT": -1, "PHASE": "PENDING"})
waited = time.monotonic() - began
check("WAIT sleeps until the phase changes: %.1f s" % waited, 1.5 < waited < 15)
check("the result is where pyvo looks", job.result_uri.endswith("/results/result"))
with fits.open(io.BytesIO(requests.get(job.result_uri).content), checksum=True) as f:
    check("async gives an image", f[0].data is not None)

# several regions at once: each result, and the list of jobs, as pyvo parses them
several = requests.post(base + "/async", data={"ID": ident, "CIRCLE": [circle, "10 10 0.001"], "FOO": "1", "RUNID": "several"}, allow_redirects=False)
job = AsyncTAPJob(several.headers["Location"])
job.run().wait(phases=["COMPLETED", "ERROR"], timeout=60)
uris = job.result_uris
check("every combination is a result: %s" % uris, len(uris) == 2)
with fits.open(io.BytesIO(requests.get(uris[0]).content), checksum=True) as f:
    check("the first is an image", f[0].data is not None)
check("the second says why not", requests.get(uris[1]).text.startswith("UsageError: no overlap"))
listed = {j.jobid: j for j in parse_job_list(io.BytesIO(requests.get(base + "/async").content))}
check("the list knows it", listed[job.job_id].phase == "COMPLETED" and listed[job.job_id].runid == "several")
job.delete()
job = AsyncTAPJob(made.headers["Location"])

# settings and the list, before and after deleting
other = AsyncTAPJob(requests.post(base + "/async", data={"ID": ident}, allow_redirects=False).headers["Location"])
other.execution_duration = 30
check("executionduration", round(other.execution_duration.sec) == 30)
other.abort()
check("ABORT", other.phase == "ABORTED")
for j in (job, other):
    url = j.url
    j.delete()
    check("a deleted job is gone", requests.get(url).status_code == 404)
