# Values that would hurt are refused before anything is asked of Google.
variables {
  environment    = "dev"
  project_id     = "example-soda-test"
  project_number = "100000000009"
  authority      = "example.org"
  archives       = { dr1 = { url = "gs://example-dr1" } }
  packages       = { soda = "main.tf", cutout = "main.tf", signer = "main.tf" }
}

run "malformed" {
  command = plan

  variables {
    environment            = "production"
    project_id             = "Example"
    project_number         = "example-soda-test"
    authority              = "ivo://example.org/dr1"
    archives               = {}
    cors_origins           = ["http://portal.example.org"]
    region                 = "us"
    runtime                = "go125"
    version_name           = "v1 of today"
    invokers               = ["allUsers"]
    results_retention_days = 0
    cutout_timeout_seconds = 541
    sync_wait_seconds      = 0
    quota                  = { jobs = -1 }
    budget                 = { billing_account = "mine", amount = 1 }
    edge                   = { domain = "https://soda.example.org/" }
  }
  expect_failures = [
    var.environment, var.project_id, var.project_number, var.authority, var.archives, var.cors_origins,
    var.region, var.runtime, var.version_name, var.invokers, var.results_retention_days, var.cutout_timeout_seconds,
    var.sync_wait_seconds, var.budget, var.edge, var.quota,
  ]
}

run "over_the_limits" {
  command = plan

  variables {
    results_retention_days = 366
    scaling                = { bulk = { min = 3, max = 2 } }
    notification_emails    = ["nobody"]
    archives               = { dr1 = { url = "file:///data" } }
    edge                   = { domain = "soda.example.org", iap_members = ["allUsers"] }
  }
  expect_failures = [var.results_retention_days, var.scaling, var.notification_emails, var.archives, var.edge]
}

# Where archives and edge are wrong, too, Terraform does not look at auth, whose validations name them.
run "a_mode_of_one_machine" {
  command = plan

  variables {
    auth = { mode = "local" }
  }
  expect_failures = [var.auth]
}

run "a_proxy_without_an_account" {
  command = plan

  variables {
    auth = { mode = "header" }
  }
  expect_failures = [var.auth]
}

run "cold_cutout" {
  command = plan

  variables {
    scaling = { cutout = { min = 0 } }
  }
  expect_failures = [var.scaling]
}

run "destroyed_by_accident_in_prod" {
  command = plan

  variables {
    environment         = "prod"
    force_destroy       = true
    notification_emails = ["soda@example.org"]
    scaling             = { soda = { min = 1 }, signer = { min = 1 } }
  }
  expect_failures = [var.force_destroy]
}

run "cold_or_silent_in_prod" {
  command = plan

  variables {
    environment = "prod"
    scaling     = { soda = { min = 1 } }
  }
  expect_failures = [var.scaling, var.notification_emails]
}

run "public_behind_a_proxy" {
  command = plan

  variables {
    public = true
    auth   = { mode = "header", proxy_account = "proxy@example.iam.gserviceaccount.com" }
  }
  expect_failures = [var.public]
}

run "orders_of_everybody" {
  command = plan

  variables {
    batch_orders = { publishers = ["allUsers"] }
  }
  expect_failures = [var.batch_orders]
}

run "rows_of_nobody" {
  command = plan

  variables {
    batch_orders = { rows_owner = "" }
  }
  expect_failures = [var.batch_orders]
}

run "tokens_that_google_would_refuse" {
  command = plan

  variables {
    auth = { mode = "oidc", issuer = "https://login.example.org", audience = "seltzer" }
  }
  expect_failures = [var.public]
}

run "tokens_of_anybody" {
  command = plan

  variables {
    public = true
    auth   = { mode = "oidc", issuer = "http://login.example.org", audience = "seltzer" }
  }
  expect_failures = [var.auth]
}

run "tokens_for_anybody" {
  command = plan

  variables {
    public = true
    auth   = { mode = "oidc", issuer = "https://login.example.org" }
  }
  expect_failures = [var.auth]
}

run "assertions_of_no_proxy" {
  command = plan

  variables {
    auth = { mode = "iap", audience = "/projects/100000000009/global/backendServices/7" }
  }
  expect_failures = [output.url]
}

run "groups_of_nobody" {
  command = plan

  variables {
    archives = { dr1 = { url = "gs://example-dr1", groups = ["team"] } }
  }
  expect_failures = [output.url]
}

run "groups_that_are_two" {
  command = plan

  variables {
    auth     = { mode = "header", proxy_account = "proxy@example.iam.gserviceaccount.com" }
    archives = { dr1 = { url = "gs://example-dr1", groups = ["team,staff"] } }
  }
  expect_failures = [var.archives]
}
