output "subscriptions" {
  description = "Names of the subscriptions of the queue and of its dead letters."
  value       = [google_pubsub_subscription.push.name, google_pubsub_subscription.dead.name]
}
