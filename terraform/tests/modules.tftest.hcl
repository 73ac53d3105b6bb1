# The modules, each by itself.
provider "google" {
  project = "example-soda-test"
  region  = "us-central1"
}

run "push_queue" {
  command = plan

  module {
    source = "./modules/push_queue"
  }
  variables {
    name         = "interactive"
    url          = "https://cutout.example.org"
    ack_seconds  = 600
    push_account = "push@example.iam.gserviceaccount.com"
    agent        = "serviceAccount:agent@example.iam.gserviceaccount.com"
    publishers   = { soda = "serviceAccount:soda@example.iam.gserviceaccount.com" }
  }
  assert {
    condition     = alltrue([for t in google_pubsub_topic.this : t.message_retention_duration == "604800s"]) && google_pubsub_subscription.dead.retain_acked_messages
    error_message = "Messages of the last week cannot be replayed."
  }
  assert {
    condition     = one(google_pubsub_subscription.push.dead_letter_policy).max_delivery_attempts == 100
    error_message = "Messages become dead letters too early."
  }
  assert {
    condition     = alltrue([for s in [google_pubsub_subscription.push, google_pubsub_subscription.dead] : one(s.expiration_policy).ttl == ""])
    error_message = "A subscription that is idle for a month vanishes."
  }
  assert {
    condition     = alltrue([for s in [google_pubsub_subscription.push, google_pubsub_subscription.dead] : s.ack_deadline_seconds == 600])
    error_message = "Pub/Sub does not wait for the slowest cutout."
  }
}

run "push_queue_waits_too_long" {
  command = plan

  module {
    source = "./modules/push_queue"
  }
  variables {
    name         = "interactive"
    url          = "https://cutout.example.org"
    ack_seconds  = 601
    push_account = "push@example.iam.gserviceaccount.com"
    agent        = "serviceAccount:agent@example.iam.gserviceaccount.com"
    publishers   = {}
  }
  expect_failures = [var.ack_seconds]
}

run "function" {
  command = plan

  module {
    source = "./modules/function"
  }
  variables {
    name            = "cutout-bulk"
    entry_point     = "cutout"
    url             = "https://cutout-bulk-100000000009.us-central1.run.app"
    region          = "us-central1"
    runtime         = "go126"
    package         = { bucket = "source", object = "cutout/0.zip" }
    build_account   = "projects/example/serviceAccounts/build@example.iam.gserviceaccount.com"
    service_account = "cutout@example.iam.gserviceaccount.com"
    invokers        = { push = "serviceAccount:push@example.iam.gserviceaccount.com" }
    ingress         = "ALLOW_INTERNAL_ONLY"
    scaling         = { min = 1, max = 5, cpu = 2, memory_mib = 2048, requests = 4 }
    timeout_seconds = 540
    environment     = { SELTZER_PROJECT = "example" }
  }
  assert {
    condition     = one(google_cloudfunctions2_function.this.build_config).entry_point == "cutout"
    error_message = "The function has another entry point."
  }
  assert {
    condition     = { for name, value in one(google_cloudfunctions2_function.this.service_config).environment_variables : name => value if name != "GOMEMLIMIT" } == { SELTZER_PROJECT = "example", SELTZER_AUDIENCE = "https://cutout-bulk-100000000009.us-central1.run.app", SELTZER_BEHIND_IAM = "true" }
    error_message = "The function is not told its own URL, or not that Google checks its callers."
  }
  assert {
    condition     = [for i in google_cloud_run_v2_service_iam_member.invoker : "${i.role} ${i.member}"] == ["roles/run.invoker serviceAccount:push@example.iam.gserviceaccount.com"]
    error_message = "Others than its invokers may call the function."
  }
}

run "public_function" {
  command = plan

  module {
    source = "./modules/function"
  }
  variables {
    name            = "soda"
    url             = "https://soda-100000000009.us-central1.run.app"
    region          = "us-central1"
    runtime         = "go126"
    package         = { bucket = "source", object = "soda/0.zip" }
    build_account   = "projects/example/serviceAccounts/build@example.iam.gserviceaccount.com"
    service_account = "soda@example.iam.gserviceaccount.com"
    invokers        = {}
    public          = true
    ingress         = "ALLOW_ALL"
    scaling         = { min = 1, max = 5, cpu = 1, memory_mib = 512, requests = 80 }
    timeout_seconds = 60
    environment     = {}
  }
  assert {
    condition     = [for i in google_cloud_run_v2_service_iam_member.invoker : i.member] == ["allUsers"]
    error_message = "A public function cannot be called by everybody."
  }
  assert {
    condition     = one(google_cloudfunctions2_function.this.service_config).environment_variables["SELTZER_BEHIND_IAM"] == "false"
    error_message = "A public function believes tokens that nobody has checked."
  }
}
