resource "google_storage_bucket" "results" {
  name                        = "${var.project_id}-results"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy

  # A net below the sweep, which deletes a result at its job's destruction time.
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

  # Deleted results would be kept, and paid for, another week.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  cors {
    origin          = var.cors_origins
    method          = ["GET", "HEAD"]
    response_header = ["Content-Disposition", "Content-Length", "Content-Type"]
    max_age_seconds = 3600
  }

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket" "source" {
  name                        = "${var.project_id}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # it holds what scripts/package can write again

  depends_on = [google_project_service.api]
}

# A new zip is a new object, by which its function is deployed anew, and no other. The same zip
# is the same object, wherever it lies: who deploys from another folder changes nothing.
resource "google_storage_bucket_object" "package" {
  for_each = { for name, file in var.packages : local.objects[name] => file }

  bucket         = google_storage_bucket.source.name
  name           = each.key
  source         = each.value
  source_md5hash = filemd5(each.value)

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [source]
  }
}

locals {
  objects = { for name, file in var.packages : name => "${name}/${filesha256(file)}.zip" }
}
