output "deployer" {
  description = "E-mail address of the account that deploys: export GOOGLE_IMPERSONATE_SERVICE_ACCOUNT to act as it."
  value       = google_service_account.deployer.email
}

output "tfbackend" {
  description = "All of ENV.gcs.tfbackend: where the state is."
  value       = <<-EOT
    bucket = "${google_storage_bucket.state.name}"
    prefix = "seltzer"
  EOT
}

output "tfvars" {
  description = "Lines of ENV.tfvars: which project this is."
  value       = <<-EOT
    project_id     = "${var.project_id}"
    project_number = "${google_storage_bucket.state.project_number}"
    region         = "${var.region}"
  EOT
}

output "workload_identity_provider" {
  description = "Provider that GitHub's google-github-actions/auth is given; null without a repository."
  value       = one(google_iam_workload_identity_pool_provider.github[*].name)
}
