output "subscriptions" {
  description = "Names of the subscriptions of the queue and of its dead letters."
  value       = [google_pubsub_subscription.push.name, google_pubsub_subscription.dead.name]
}

output "topic" {
  description = "Topic to publish to; waits until its publishers may publish."
  value       = google_pubsub_topic.this[var.name].id
  depends_on  = [google_pubsub_topic_iam_member.publisher]
}
