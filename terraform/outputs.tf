output "accounts" {
  description = "E-mail addresses of the service accounts, by name."
  value       = { for name, a in google_service_account.account : name => a.email }
}

output "iap_audience" {
  description = "For whom Identity-Aware Proxy's assertions are, for auth.audience; null without an edge."
  value       = one([for b in google_compute_backend_service.edge : "/projects/${var.project_number}/global/backendServices/${b.generated_id}"])
}

output "load_balancer_address" {
  description = "Where the domain of the edge must point (an A record); null without an edge."
  value       = one([for a in google_compute_global_address.edge : a.address])
}

output "packages" {
  description = "Sources of the functions as deployed, gs://… each."
  value       = { for name, s in local.source : name => "gs://${s.bucket}/${s.object}" }
}

output "project_id" {
  description = "Google Cloud project of this environment."
  value       = var.project_id
}

output "proxy_account" {
  description = "Service account of the proxy that mode header believes; empty in others."
  value       = var.auth.proxy_account == null ? "" : var.auth.proxy_account
}

output "public" {
  description = "Whether everybody may reach the service."
  value       = var.public
}

output "region" {
  description = "Region of everything."
  value       = var.region
}

output "results_bucket" {
  description = "Bucket of results."
  value       = google_storage_bucket.results.name
}

output "soda_url" {
  description = "Own URL of the function soda, for which its callers' tokens are."
  value       = local.url.soda
}

output "url" {
  description = "URL of the service; ready when all rights are given."
  value       = local.public_url

  precondition {
    condition     = var.auth.mode != "iap" || local.iap
    error_message = "auth.mode iap wants an edge with iap_members."
  }
  precondition {
    condition     = var.auth.mode != "none" || length(local.groups) == 0
    error_message = "An archive has groups, and auth.mode none does not ask who belongs to them."
  }

  depends_on = [module.soda, module.queue, module.cutout, module.signer]
}

output "version_name" {
  description = "Version of Seltzer as deployed: that of the last apply in which all functions came to be."
  value       = var.version_name
  depends_on  = [module.soda, module.cutout, module.signer]
}
