output "url" {
  description = "URL of the function, which is the audience of its callers' tokens; waits until its invokers may call it."
  value       = var.url
  depends_on  = [google_cloudfunctions2_function.this, google_cloud_run_v2_service_iam_member.invoker]
}
