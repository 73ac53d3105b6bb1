# What people use.
environment         = "prod"
project_id          = "example-soda-prod"
project_number      = "100000000003"
authority           = "example.org"
archives            = { dr1 = { url = "gs://example-dr1" }, dr2 = { url = "gs://example-dr2/images", notify = true }, sky = { url = "https://images.example.org/sky" } }
public              = true
scaling             = { soda = { min = 1 }, cutout = { min = 2, max = 100 }, signer = { min = 1 } }
edge                = { domain = "soda.example.org" }
budget              = { billing_account = "012345-6789AB-CDEF01", amount = 1000 }
notification_emails = ["soda@example.org", "oncall@example.org"]
