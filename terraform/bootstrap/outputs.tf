output "deployer" {
  description = "E-mail address of the account that deploys: export GOOGLE_IMPERSONATE_SERVICE_ACCOUNT to act as it."
  value       = google_service_account.deployer.email
}

output "state_bucket" {
  description = "Bucket of the state: that of env/ENV.gcs.tfbackend."
  value       = google_storage_bucket.state.name
}

output "workload_identity_provider" {
  description = "Provider that GitHub's google-github-actions/auth is given; null without a repository."
  value       = one(google_iam_workload_identity_pool_provider.github[*].name)
}
