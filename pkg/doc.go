// Package pkg is the map of Seltzer's packages. It holds no code; deps_test.go holds the
// map as a test.
//
// An arrow may only point down. Packages on one line do not import each other, unless the
// line says so with an arrow.
//
//	cmd/seltzer                              the command line and the one-machine server
//	functions/emulated                       the cloud in small: the functions over emulators
//	terraform                                an environment on Google Cloud; its package tests the plans
//	functions/{soda,cutout,signer}           register one function each; functions runs one here
//	doctor                                   examines a deployment, and says what to mend
//	app/local  app/cloud                     the places that name backends: of one machine, of Google Cloud
//	app/settings  app/archives               what an operator says, alike in both
//	api  worker  signer                      HTTP in · one queued job in, and the sweep · URLs of results
//	batch                                    a manifest's rows → parts, packages, a manifest of results
//	telemetry/observed  telemetry/tracefile  the ports, seen by traces and metrics · traces in a file, as tables
//	demo                                     the archive that a newcomer's server shows
//	auth/accounts → auth → auth/tokens       which service account · who is asking · tokens that hold
//	quota                                    how much they may ask
//	breaker  faulty                          what is down makes nothing slow · ports that fail as a test plans
//	jobstore/sqlitejobs  queue/sqlitequeue  signing/hmacsigning      embedded backends
//	jobstore/firestorejobs  queue/pubsubqueue  signing/gcssigning    backends on Google Cloud
//	holdings/sqliteholdings  holdings/firestoreholdings              what a service holds, here and on Google Cloud
//	objects/drivers  objects/gcstest         archives in gs:// and s3:// · Cloud Storage for tests
//	holdings                                 what a service holds, and which images hold a position
//	jobstore  queue  signing  archive → objects                      ports, each beside its contract suite
//	sqlitedb  firestoredb                    the one SQLite file: durability and group commit · what stores in Firestore share
//	footprint                                where on the sky the images of a file are
//	cutout                                   plans and extracts pixels, cards, provenance
//	manifest  pack  ledger                   rows of a batch in · packages of its cutouts · what became of each row
//	soda                                     parameters of a request → what shall be cut
//	indexes                                  headers that are known, of files used last
//	fits  wcs                                FITS over ranges · pixel ↔ sky; neither imports the other
//	uws  stencil  pixel  fits/tile  votable  jobs, phases, XML · regions on the sky · boxes of pixels · codecs of tiles · VOTable
//	telemetry                                traces, metrics and the lines of the log
//	sky  fault  outside                      directions and angles · kinds of error · what tests are judged by
//
// How a request becomes a FITS file: api reads the parameters (soda), writes a job (uws)
// into the store (jobstore) and its id into the queue. The queue POSTs the id to worker,
// which claims the job, finds the dataset (archive), reads its headers (fits) over range
// requests (objects), finds the box of pixels that the stencil touches (cutout, wcs,
// stencil) and writes the result. api, which watched the job, redirects to a URL that
// signer had signed.
//
// A batch is a job whose rows stand in a manifest. A worker plans it (batch): rows come in the
// order of their images, in parts that are jobs of their own; workers execute parts; when all
// have ended, a worker merges their ledgers.
//
// Where things go:
//
//	a stencil      a file and a line of the table in stencil
//	a projection   a file and a line of the table in wcs
//	a tile codec   a file and a line of the table in fits/tile
//	a parameter    a line of the table in soda
//	a resource     a line of the table in api/api.go, and of that in api/operations.go, which tells of it
//	a card rule    a line of the tables in cutout
//	a limit        a field of quota.Limits, a setting in app and terraform, a flag of serve
//	a column, a format of batches   a line of the tables in manifest, pack, ledger, and a file for a format
//	an error kind  a code in fault and a line of the table in api/errors.go
//	a backend      a folder beside its port, the port's contract suite as its test, one case in app
//
// Why a job is never lost: it is written before it is acknowledged, its message only wakes
// a worker, a worker holds it by a lease that others may take over when it runs out, every
// write is a compare-and-set on the claim, and the sweep looks at each job again at an
// instant that stands in the job itself.
package pkg
