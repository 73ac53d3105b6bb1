# Every account and every right that it has, but for who may call a function and who may
# publish to a topic: these stand with the function and the topic (functions.tf, queues.tf).
locals {
  accounts = {
    soda      = "Function soda: takes requests"
    cutout    = "Function cutout: reads archives, writes results, sweeps"
    signer    = "Function signer: signs the URLs of results"
    push      = "Push subscriptions: call cutout"
    scheduler = "Scheduler: calls cutout's sweep"
    build     = "Cloud Build: builds the functions"
  }
  storage_agent = "serviceAccount:service-${var.project_number}@gs-project-accounts.iam.gserviceaccount.com"
  pubsub_agent  = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_service_account" "account" {
  for_each = local.accounts

  account_id   = "seltzer-${each.key}"
  display_name = each.value

  depends_on = [google_project_service.api]
}

# soda and cutout write jobs, signer reads them; in this database alone.
resource "google_project_iam_member" "firestore" {
  for_each = { soda = "roles/datastore.user", cutout = "roles/datastore.user", signer = "roles/datastore.viewer" }

  project = var.project_id
  role    = each.value
  member  = google_service_account.account[each.key].member

  condition {
    title      = "this-database"
    expression = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.jobs.name}\""
  }
}

# soda reads headers of the archives, cutout pixels.
resource "google_storage_bucket_iam_member" "archive" {
  for_each = { for pair in setproduct(["soda", "cutout"], local.archive_buckets) : join(" ", pair) => { account = pair[0], bucket = pair[1] } }

  bucket = each.value.bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.account[each.value.account].member
}

# cutout creates, lists, copies and deletes results; signer's signatures let others read them,
# for which it must have the right to read them; soda has none.
resource "google_storage_bucket_iam_member" "results" {
  for_each = { cutout = "roles/storage.objectUser", signer = "roles/storage.objectViewer" }

  bucket = google_storage_bucket.results.name
  role   = each.value
  member = google_service_account.account[each.key].member
}

# signer signs in its own name, and in nobody else's.
resource "google_service_account_iam_member" "signer" {
  service_account_id = google_service_account.account["signer"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.account["signer"].member
}

# The functions tell what they do.
resource "google_project_iam_member" "telemetry" {
  for_each = { for pair in setproduct(["soda", "cutout", "signer"], ["roles/telemetry.metricsWriter", "roles/telemetry.tracesWriter"]) : join(" ", pair) => { account = pair[0], role = pair[1] } }

  project = var.project_id
  role    = each.value.role
  member  = google_service_account.account[each.value.account].member
}

# Pub/Sub's own agent makes the tokens that its pushes carry.
resource "google_service_account_iam_member" "push" {
  service_account_id = google_service_account.account["push"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
}

# The build writes logs, reads the sources that Cloud Functions lays ready, and stores images
# where Cloud Functions keeps them.
resource "google_project_iam_member" "build" {
  for_each = {
    "roles/artifactregistry.writer" = "resource.name.startsWith(\"projects/${var.project_id}/locations/${var.region}/repositories/gcf-artifacts\")"
    "roles/logging.logWriter"       = ""
    "roles/storage.objectViewer"    = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${var.project_number}-${var.region}\")"
  }

  project = var.project_id
  role    = each.key
  member  = google_service_account.account["build"].member

  dynamic "condition" {
    for_each = each.value == "" ? [] : [each.value]
    content {
      title      = "what-cloud-functions-keeps"
      expression = condition.value
    }
  }
}

# Each signature of a result, and each token that somebody takes in an account's name, is logged.
resource "google_project_iam_audit_config" "signatures" {
  project = var.project_id
  service = "iam.googleapis.com"

  audit_log_config {
    log_type = "DATA_READ"
  }
}
