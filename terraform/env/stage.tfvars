# As prod, for those whom a proxy lets in: what is deployed here today goes to prod tomorrow.
environment         = "stage"
project_id          = "example-soda-stage"
project_number      = "100000000002"
authority           = "example.org"
archives            = { dr1 = { url = "gs://example-dr1" }, next = { url = "gs://example-next", groups = ["astronomers", "staff"] } }
auth                = { mode = "header", proxy_account = "proxy@example-soda-stage.iam.gserviceaccount.com" }
notification_emails = ["soda@example.org"]
batch_orders        = { publishers = ["serviceAccount:survey@example-soda-stage.iam.gserviceaccount.com"], rows_owner = "survey@example.org" }
batch_writers       = { "survey@example.org" = ["serviceAccount:survey@example-soda-stage.iam.gserviceaccount.com"] }
