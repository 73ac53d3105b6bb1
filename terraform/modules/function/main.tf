resource "google_cloudfunctions2_function" "this" {
  name     = var.name
  location = var.region

  build_config {
    runtime         = var.runtime
    entry_point     = coalesce(var.entry_point, var.name)
    service_account = var.build_account

    source {
      storage_source {
        bucket = var.package.bucket
        object = var.package.object
      }
    }
  }

  service_config {
    service_account_email            = var.service_account
    ingress_settings                 = var.ingress
    min_instance_count               = var.scaling.min
    max_instance_count               = var.scaling.max
    available_cpu                    = tostring(var.scaling.cpu)
    available_memory                 = "${var.scaling.memory_mib}Mi"
    max_instance_request_concurrency = var.scaling.requests
    timeout_seconds                  = var.timeout_seconds
    all_traffic_on_latest_revision   = true

    environment_variables = merge(var.environment, {
      SELTZER_AUDIENCE   = var.url
      SELTZER_BEHIND_IAM = tostring(!var.public)
      GOMEMLIMIT         = "${floor(var.scaling.memory_mib * 9 / 10)}MiB" # Go frees memory before the platform ends the instance
    })
  }

  lifecycle {
    precondition {
      condition     = length(split(".", trimprefix(var.url, "https://"))[0]) <= 63
      error_message = "The URL ${var.url} has a first label of more than 63 characters, which Cloud Run does not give: shorten the function's name."
    }
  }
}

# Of a second-generation function only the invoker of its Cloud Run service counts. It goes
# with the service when the function is replaced, and must then be given anew.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = merge(var.invokers, var.public ? { everybody = "allUsers" } : {})

  name     = google_cloudfunctions2_function.this.name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this.id]
  }
}
