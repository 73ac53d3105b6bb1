locals {
  week = "${7 * 24 * 3600}s" # of messages: what was acknowledged can be replayed so long
}

resource "google_pubsub_topic" "this" {
  for_each = toset([var.name, "${var.name}-dead"])

  name                       = each.key
  message_retention_duration = local.week
}

resource "google_pubsub_subscription" "push" {
  name                       = var.name
  topic                      = google_pubsub_topic.this[var.name].id
  ack_deadline_seconds       = var.ack_seconds
  message_retention_duration = local.week

  push_config {
    push_endpoint = "${var.url}/${var.path}"
    oidc_token {
      service_account_email = var.push_account
      audience              = var.url
    }
  }
  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "60s"
  }
  # The store drives retries; dead letters are a net, so it is as low as it can hang.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this["${var.name}-dead"].id
    max_delivery_attempts = 100
  }
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_pubsub_topic_iam_member.agent]
}

# Whoever got no answer a hundred times is looked after as by the sweep. What is acknowledged
# stays for a week, to be replayed.
resource "google_pubsub_subscription" "dead" {
  name                       = "${var.name}-dead"
  topic                      = google_pubsub_topic.this["${var.name}-dead"].id
  ack_deadline_seconds       = var.ack_seconds
  message_retention_duration = local.week
  retain_acked_messages      = true

  push_config {
    push_endpoint = "${var.url}/dead-letter"
    oidc_token {
      service_account_email = var.push_account
      audience              = var.url
    }
  }
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = var.publishers

  topic  = google_pubsub_topic.this[var.name].id
  role   = "roles/pubsub.publisher"
  member = each.value
}

# To see that the topic is there, as the service's availability tells.
resource "google_pubsub_topic_iam_member" "viewer" {
  for_each = var.checked ? var.publishers : {}

  topic  = google_pubsub_topic.this[var.name].id
  role   = "roles/pubsub.viewer"
  member = each.value
}

# Pub/Sub's own agent moves messages to the dead letters.
resource "google_pubsub_topic_iam_member" "agent" {
  topic  = google_pubsub_topic.this["${var.name}-dead"].id
  role   = "roles/pubsub.publisher"
  member = var.agent
}

resource "google_pubsub_subscription_iam_member" "agent" {
  subscription = google_pubsub_subscription.push.id
  role         = "roles/pubsub.subscriber"
  member       = var.agent
}
