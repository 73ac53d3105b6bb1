# Manifests of batches: an object under owners/OWNER/ is a batch of that owner.
resource "google_storage_bucket" "batch" {
  name                        = "${var.project_id}-batch"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.results_retention_days
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  depends_on = [google_project_service.api]
}

resource "google_storage_notification" "batch" {
  bucket             = google_storage_bucket.batch.name
  topic              = module.queue["batch"].topic
  payload_format     = "JSON_API_V1"
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = "owners/"
}

# cutout reads manifests. Whoever may write for an owner writes below that owner's folder.
resource "google_storage_bucket_iam_member" "batch" {
  bucket = google_storage_bucket.batch.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.account["cutout"].member
}

resource "google_storage_bucket_iam_member" "batch_writer" {
  for_each = { for pair in flatten([for owner, members in var.batch_writers : [for m in members : { owner = owner, member = m }]]) : "${pair.owner} ${pair.member}" => pair }

  bucket = google_storage_bucket.batch.name
  role   = "roles/storage.objectCreator"
  member = each.value.member

  condition {
    title      = "own-folder"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.batch.name}/objects/owners/${each.value.owner}/\")"
  }
}

# Whoever waits for batches subscribes to it: {"job": ID, "phase": PHASE} for each that ended.
resource "google_pubsub_topic" "job_ended" {
  name = "job-ended"

  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic_iam_member" "job_ended" {
  topic  = google_pubsub_topic.job_ended.id
  role   = "roles/pubsub.publisher"
  member = google_service_account.account["cutout"].member
}

# Archives that tell of new and deleted objects, each bucket once.
resource "google_storage_notification" "archive" {
  for_each = local.notifying

  bucket         = each.key
  topic          = module.queue["objects"].topic
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE", "OBJECT_DELETE"]
}
