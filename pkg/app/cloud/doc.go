// Package cloud is the service on Google Cloud: what its functions soda, cutout and signer
// have in common. Firestore keeps jobs, Pub/Sub wakes workers, Cloud Storage holds archives
// and results. This is the one place that names these backends but for Cloud Storage's,
// which the functions open that use them, so that each links only what it needs.
//
// # Environment variables
//
// "Needed by" names the functions that do not start without the variable. All others have a
// default. They are set with the deployment, but those of the emulators.
//
//	variable                    type      default           needed by           what it is
//	SELTZER_PROJECT             text                        soda cutout signer  the Google Cloud project of Firestore and Pub/Sub
//	SELTZER_DATABASE            text      (default)                             the Firestore database
//	SELTZER_WATCH_CONNECTIONS   number    4                                     connections for requests and workers that wait for jobs, 80 each
//	SELTZER_TOPIC_INTERACTIVE   text                        soda cutout         the topic of jobs that somebody waits for
//	SELTZER_TOPIC_BULK          text                        soda cutout         the topic of large jobs
//	SELTZER_ARCHIVES            list                        soda cutout         archives as NAME=URL, with commas between, such as dr1=gs://bucket/dr1
//	SELTZER_AUTHORITY           text                        soda cutout         the authority of the archives' IDs: ivo://AUTHORITY/NAME?path
//	SELTZER_PUBLIC_URL          URL                         soda                the URL under which clients reach the service
//	SELTZER_SIGNER_URL          URL                         soda                the URL of the function signer, for which it takes tokens
//	SELTZER_GROUPS              list                                            archives that are not public, as NAME=GROUP for each group that may see one, with commas between
//	SELTZER_AUTH                text      none                                  who may ask: none (public), header (a proxy says who), iap (Google's proxy signs it) or oidc (users send tokens)
//	SELTZER_PROXY_ACCOUNT       e-mail                                          the service account of the proxy that mode header believes
//	SELTZER_ISSUER              URL                                             who signs users' tokens in mode oidc: a URL, below which its discovery document is
//	SELTZER_USER_AUDIENCE       text                                            whom users' tokens must be for in modes oidc and iap: there /projects/NUMBER/global/backendServices/ID
//	SELTZER_USER_CLAIM          text                                            the claim that names the user; empty: sub, in mode iap email
//	SELTZER_GROUPS_CLAIM        text                                            the claim that names the user's groups; empty: groups, in mode iap hd, the domain of their account
//	SELTZER_MAX_EXECUTION       duration  8m30s                                 the longest time of one job: the function's timeout less 30 s
//	SELTZER_SYNC_WAIT           duration  50s                                   how long a sync request waits for its cutout
//	SELTZER_QUOTA_JOBS          number    200                                   live jobs of one owner; 0 here and below: any number
//	SELTZER_QUOTA_ROWS          number    1000000                               cutouts of the live jobs of one owner
//	SELTZER_QUOTA_BYTES         bytes     214748364800                          results of one owner in 24 hours
//	SELTZER_QUOTA_REQUESTS      number    3000                                  requests of one user or address in a minute, to each instance
//	SELTZER_QUOTA_BACKLOG       number    500                                   interactive jobs of all owners from which on sync requests are refused
//	SELTZER_FORWARDED_HOPS      number    1                                     entries at the end of X-Forwarded-For that Google writes; 2 behind a load balancer
//	SELTZER_RESULTS_BUCKET      text                        cutout signer       the bucket of results
//	SELTZER_BATCH_BUCKET        text                                            the bucket of manifests, under owners/OWNER/; none: manifests come with requests alone
//	SELTZER_BATCH_OWNER         text                                            whose batches are that come as rows in a message; none: such messages are refused
//	SELTZER_TOPIC_JOB_ENDED     text                                            the topic of batches that have ended; none: nobody is told
//	SELTZER_MEMORY              bytes     536870912                             what all jobs of one instance may use together
//	SELTZER_MAX_CUTOUT          bytes     17179869184                           the largest cutout
//	SELTZER_PUSH_ACCOUNT        e-mail                      cutout              the service account of the push subscriptions, dead letters too
//	SELTZER_SWEEP_ACCOUNT       e-mail                      cutout              the service account of the scheduler that POSTs /sweep
//	SELTZER_SIGNING_ACCOUNT     e-mail                      signer              the service account in whose name results are signed: its own
//	SELTZER_SODA_ACCOUNT        e-mail                      signer              the service account of the function soda
//	SELTZER_AUDIENCE            URL                         cutout signer       this function's own URL, for which its callers' tokens are; in mode header also of soda
//	SELTZER_BEHIND_IAM          bool      false                                 only callers that Google let in reach this function: it has no public invoker
//	SELTZER_REGION              text                                            where the functions run, as their metrics tell
//	SELTZER_TELEMETRY_URL       URL                                             who takes traces and metrics by OTLP, such as https://telemetry.googleapis.com; empty: nobody
//	SELTZER_TRACE_RATIO         number    0.01                                  the share of requests that are traced, 0 to 1
//	SELTZER_VERSION             text      devel                                 what provenance cards call this version
//
// Of the platform: FUNCTION_TARGET, K_SERVICE and K_REVISION. With FUNCTION_TARGET naming it, and either
// K_SERVICE or SELTZER_PROJECT set, a function that lacks a variable ends at its start.
//
// A claim inside of another is named with dots: google.access_levels makes the access levels of
// Identity-Aware Proxy groups. An archive that SELTZER_GROUPS names is unknown to all but the
// members of its groups; soda and cutout are told the same.
//
// Callers without a name are one owner together, who may have ten times as much; see package
// quota.
//
// # Rights
//
// What the service account of each function needs, and no more:
//
//	soda       roles/datastore.user; roles/pubsub.publisher and roles/pubsub.viewer on both topics;
//	           roles/storage.objectViewer on the archives; roles/run.invoker on signer
//	cutout     roles/datastore.user; roles/pubsub.publisher on both topics and on that of jobs that ended;
//	           roles/storage.objectViewer on the archives and on the bucket of manifests;
//	           roles/storage.objectUser on the bucket of results
//	signer     roles/datastore.viewer; roles/storage.objectViewer on the bucket of results;
//	           roles/iam.serviceAccountTokenCreator on itself
//	push, scheduler    roles/run.invoker on cutout
//	all three functions, where traces and metrics go to Google: roles/telemetry.tracesWriter and
//	           roles/telemetry.metricsWriter on the project
//
// Who may drop manifests for an owner has roles/storage.objectCreator on the bucket of manifests
// under the condition that the object's name begins with owners/OWNER/. Cloud Storage's own
// agent has roles/pubsub.publisher on the topics to which buckets tell of their objects.
//
// Routes of cutout: / takes the pushes of the topics, /dead-letter those of the dead-letter
// topic, /batch those of the bucket of manifests and of orders, /objects those of archives that
// tell of new and deleted objects; /sweep is for the scheduler, each minute. Those of signer: /sign.
//
// # Emulators
//
// For the emulators on one machine alone, never with a deployment:
//
//	FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST, STORAGE_EMULATOR_HOST    where they are
//	SELTZER_INSECURE            bool      false                                 callers prove nothing: the emulators send no tokens
//	SELTZER_TOKEN_ISSUER        URL                                             who signs callers' tokens, and the assertions of mode iap, in place of Google; its keys are at that URL
//	SELTZER_SIGNING_KEY         file                                            a key that signs results in place of IAM
//	SELTZER_STORAGE_URL         URL       https://storage.googleapis.com        where signed URLs lead
package cloud
