# What an environment is, by the least that an operator says.
variables {
  environment    = "stage"
  project_id     = "example-soda-test"
  project_number = "100000000009"
  authority      = "example.org"
  archives       = { dr1 = { url = "gs://example-dr1" }, dr2 = { url = "gs://example-dr1/more" }, open = { url = "gs://example-open", grant = false }, sky = { url = "https://images.example.org" } }
  packages       = { soda = "main.tf", cutout = "iam.tf", signer = "storage.tf" }
}

run "by_default" {
  command = plan

  assert {
    condition     = [for r in google_storage_bucket.results.lifecycle_rule : one(r.condition).age if one(r.action).type == "Delete"] == [30]
    error_message = "Results are not deleted after 30 days."
  }
  assert {
    condition     = google_storage_bucket.results.uniform_bucket_level_access && google_storage_bucket.results.public_access_prevention == "enforced"
    error_message = "The results bucket could be opened to the public."
  }
  assert {
    condition     = one(google_storage_bucket.results.soft_delete_policy).retention_duration_seconds == 0
    error_message = "Deleted results are kept, and paid for."
  }
  assert {
    condition     = join(",", one(google_storage_bucket.results.cors).origin) == "*" && join(",", one(google_storage_bucket.results.cors).method) == "GET,HEAD"
    error_message = "A page that is redirected to a result cannot read it, or may do more."
  }
  assert {
    condition     = !google_storage_bucket.results.force_destroy
    error_message = "terraform destroy takes the results with it."
  }
  assert {
    condition     = google_storage_bucket.source.uniform_bucket_level_access && google_storage_bucket.source.public_access_prevention == "enforced"
    error_message = "The bucket of sources could be opened to the public."
  }
  assert {
    condition     = alltrue([for p in google_storage_bucket_object.package : p.name == "${split("/", p.name)[0]}/${filesha256(p.source)}.zip"]) && length(google_storage_bucket_object.package) == 3
    error_message = "A package's object is not named by its content."
  }
  assert {
    condition     = google_firestore_database.jobs.type == "FIRESTORE_NATIVE"
    error_message = "The database is of the wrong type."
  }
  assert {
    condition     = google_firestore_database.jobs.delete_protection_state == "DELETE_PROTECTION_ENABLED" && google_firestore_database.jobs.deletion_policy == "PREVENT"
    error_message = "The database can be destroyed."
  }
  assert {
    condition     = google_firestore_database.jobs.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED"
    error_message = "The database cannot be brought back to an hour ago."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep.schedule == "* * * * *" && one(google_cloud_scheduler_job.sweep.http_target).http_method == "POST"
    error_message = "The sweep does not run each minute."
  }
  assert {
    condition     = one(google_cloud_scheduler_job.sweep.http_target).uri == "https://cutout-100000000009.us-central1.run.app/sweep"
    error_message = "The scheduler does not call cutout's sweep."
  }
  assert {
    condition     = length(google_compute_global_address.edge) + length(google_billing_budget.month) == 0
    error_message = "An edge or a budget is made that nobody asked for."
  }
  assert {
    condition     = [for c in google_project_iam_audit_config.signatures.audit_log_config : c.log_type] == ["DATA_READ"]
    error_message = "Signatures of results are not logged."
  }
  assert {
    condition     = strcontains(google_logging_metric.counted["batch_failed"].filter, "(jsonPayload.message=\"batch ended\" AND jsonPayload.phase=\"ERROR\") OR")
    error_message = "A batch that ended well is counted as one that failed."
  }
  assert {
    condition     = length(google_monitoring_uptime_check_config.available) == 0
    error_message = "Google asks a service that does not let it in, and says that it is not there."
  }
  assert {
    condition     = output.url == "https://soda-100000000009.us-central1.run.app"
    error_message = "Without an edge the service has another URL than soda."
  }
}

run "by_choice" {
  command = plan

  variables {
    public                 = true
    results_retention_days = 7
    edge                   = { domain = "soda.example.org", iap_members = ["group:astronomers@example.org"] }
    budget                 = { billing_account = "012345-6789AB-CDEF01", amount = 100.9 }
    notification_emails    = ["soda@example.org"]
  }
  assert {
    condition     = [for r in google_storage_bucket.results.lifecycle_rule : one(r.condition).age if one(r.action).type == "Delete"] == [7]
    error_message = "The bucket does not heed results_retention_days."
  }
  assert {
    condition     = [for r in google_storage_bucket.batch.lifecycle_rule : one(r.condition).age if one(r.action).type == "Delete"] == [7]
    error_message = "Manifests are not deleted."
  }
  assert {
    condition     = one(google_compute_backend_service.edge["this"].iap).enabled && join(",", keys(google_iap_web_backend_service_iam_member.edge)) == "group:astronomers@example.org"
    error_message = "Identity-Aware Proxy is not in front of the edge, or lets in others."
  }
  assert {
    condition     = google_compute_global_forwarding_rule.edge["this"].port_range == "443" && join(",", one(google_compute_managed_ssl_certificate.edge["this"].managed).domains) == "soda.example.org"
    error_message = "The edge is not HTTPS under its domain."
  }
  assert {
    condition     = one(one(google_billing_budget.month["this"].amount).specified_amount).units == "100"
    error_message = "The budget has another amount."
  }
  assert {
    condition     = output.url == "https://soda.example.org"
    error_message = "With an edge the service's URL is not that of its domain."
  }
  assert {
    condition     = length(google_monitoring_uptime_check_config.available) == 0
    error_message = "Google asks a service that does not let it in."
  }
}

run "for_everybody" {
  command = plan

  variables {
    public = true
  }
  assert {
    condition     = [for c in google_monitoring_uptime_check_config.available : one(c.content_matchers).content] == ["available>true<"]
    error_message = "A service that says that it is not available is not noticed."
  }
  assert {
    condition     = [for c in google_monitoring_uptime_check_config.available : one(c.monitored_resource).labels.host] == ["soda-100000000009.us-central1.run.app"]
    error_message = "Google asks another host than that of the service."
  }
}

run "behind_identity_aware_proxy" {
  command = plan

  variables {
    edge     = { domain = "soda.example.org", iap_members = ["group:astronomers@example.org"] }
    auth     = { mode = "iap", audience = "/projects/100000000009/global/backendServices/7", groups_claim = "google.access_levels" }
    archives = { dr1 = { url = "gs://example-dr1" }, next = { url = "gs://example-next", groups = ["accessPolicies/1/accessLevels/a", "b"] } }
  }
  assert {
    condition = local.auth_environment == {
      SELTZER_AUTH = "iap", SELTZER_USER_AUDIENCE = "/projects/100000000009/global/backendServices/7", SELTZER_GROUPS_CLAIM = "google.access_levels"
    }
    error_message = "soda is not told how it knows who asks."
  }
  assert {
    condition     = local.work_environment.SELTZER_GROUPS == "next=accessPolicies/1/accessLevels/a,next=b"
    error_message = "The functions are not told whom an archive is for."
  }
}

run "with_tokens_of_users" {
  command = plan

  variables {
    public = true
    auth   = { mode = "oidc", issuer = "https://login.example.org", audience = "seltzer", user_claim = "email" }
  }
  assert {
    condition = local.auth_environment == {
      SELTZER_AUTH = "oidc", SELTZER_ISSUER = "https://login.example.org", SELTZER_USER_AUDIENCE = "seltzer", SELTZER_USER_CLAIM = "email"
    }
    error_message = "soda is not told how it knows who asks."
  }
}
