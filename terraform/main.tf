locals {
  apis = [
    "artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "cloudfunctions.googleapis.com", "cloudscheduler.googleapis.com",
    "firestore.googleapis.com", "iam.googleapis.com", "iamcredentials.googleapis.com", "logging.googleapis.com",
    "monitoring.googleapis.com", "pubsub.googleapis.com", "run.googleapis.com", "storage.googleapis.com",
    "telemetry.googleapis.com",
  ]
  optional_apis = concat(
    var.edge == null ? [] : ["compute.googleapis.com"],
    local.iap ? ["iap.googleapis.com"] : [],
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
  )

  # The URLs are known before the functions are, by Cloud Run's rule SERVICE-PROJECT_NUMBER.REGION.run.app,
  # so that a function can be told its own: it is the audience of its callers' tokens.
  url        = { for name in ["soda", "cutout", "cutout-bulk", "signer"] : name => "https://${name}-${var.project_number}.${var.region}.run.app" }
  public_url = var.edge == null ? local.url.soda : "https://${var.edge.domain}"

  archives  = [for name, a in var.archives : "${name}=${a.url}"]
  groups    = flatten([for name, a in var.archives : [for g in a.groups : "${name}=${g}"]])
  notifying = toset([for a in values(var.archives) : split("/", a.url)[2] if a.notify])
  # Buckets that the functions get the right to read, each once.
  archive_buckets = toset([for a in values(var.archives) : split("/", a.url)[2] if a.grant && startswith(a.url, "gs://")])
}

resource "google_project_service" "api" {
  for_each = toset(concat(local.apis, local.optional_apis))

  service            = each.key
  disable_on_destroy = false
}
