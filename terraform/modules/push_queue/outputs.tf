output "subscriptions" {
  description = "Subscriptions of the queue and of its dead letters."
  value       = [google_pubsub_subscription.push.name, google_pubsub_subscription.dead.name]
}

output "topic" {
  description = "Topic to publish to; waits until its publishers may publish and its subscription keeps messages."
  value       = google_pubsub_topic.this[var.name].name
  depends_on  = [google_pubsub_topic_iam_member.publisher, google_pubsub_subscription.push, google_pubsub_subscription_iam_member.agent]
}
