locals {
  # What the functions' own lines of log are counted as.
  counted = {
    not_cut = {
      description = "Attempts that ended without a cutout; those in phase EXECUTING are made again."
      filter      = "jsonPayload.message=\"not cut\""
      labels = {
        phase  = "EXTRACT(jsonPayload.phase)"
        reason = "REGEXP_EXTRACT(jsonPayload.error, \"^([a-zA-Z]+[.][a-zA-Z]+)\")"
      }
    }
    batch_failed = {
      description = "Batches of which no cutout could be made, and orders that can never be carried out."
      filter      = "((jsonPayload.message=\"batch ended\" AND jsonPayload.phase=\"ERROR\") OR jsonPayload.message=\"an order of a batch is put away\")"
      labels      = { what = "EXTRACT(jsonPayload.message)" }
    }
    fenced = {
      description = "Attempts whose job was aborted, deleted or taken by another worker meanwhile."
      filter      = "jsonPayload.message:\"fenced:\""
      labels      = {}
    }
    swept = {
      description = "Sweeps that went through."
      filter      = "log_id(\"run.googleapis.com/requests\") AND httpRequest.requestUrl=~\"/sweep$\" AND httpRequest.status=200"
      labels      = {}
    }
    sweep_failed = {
      description = "Jobs that a sweep could not look after."
      filter      = "jsonPayload.message=\"the sweep could not look after a job\""
      labels      = {}
    }
  }

  of_soda     = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"soda\""
  of_queues   = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=one_of(${join(",", [for s in flatten([for q in module.queue : q.subscriptions]) : "\"${s}\""])})"
  of_logs     = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/seltzer"
  five_minute = "300s"

  # What is watched, by the name of its runbook. An alert fires when the value is above the
  # threshold for the duration; without a threshold, when there is no value for so long.
  # The dashboard has a tile for each.
  watched = merge(local.watched_always, local.watched_from_outside)

  # Google asks from several places of the world whether the service is available; only
  # where everybody may.
  watched_from_outside = { for name, watched in { unreachable = {
    title     = "The service is not available: places that say so"
    filter    = "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND resource.type=\"uptime_url\" AND resource.labels.host=\"${local.public_host}\""
    aligner   = "ALIGN_NEXT_OLDER", reducer = "REDUCE_COUNT_FALSE", group_by = []
    threshold = 1, duration = "300s"
  } } : name => watched if local.open }
  public_host = trimprefix(local.public_url, "https://")
  open        = var.public && !local.iap

  watched_always = {
    dead-letters = {
      title     = "Messages became dead letters"
      filter    = "metric.type=\"pubsub.googleapis.com/subscription/dead_letter_message_count\" AND ${local.of_queues}"
      aligner   = "ALIGN_DELTA", reducer = "REDUCE_SUM", group_by = ["resource.labels.subscription_id"]
      threshold = 0, duration = "0s"
    }
    failed-cutouts = {
      title     = "Cutouts fail"
      filter    = "${local.of_logs}_not_cut\" AND metric.labels.phase=\"ERROR\""
      aligner   = "ALIGN_DELTA", reducer = "REDUCE_SUM", group_by = ["metric.labels.reason"]
      threshold = 20, duration = "0s"
    }
    failed-batches = {
      title     = "Batches fail, or orders of batches are put away"
      filter    = "${local.of_logs}_batch_failed\""
      aligner   = "ALIGN_DELTA", reducer = "REDUCE_SUM", group_by = ["metric.labels.what"]
      threshold = 0, duration = "0s"
    }
    latency = {
      title     = "Requests are slow: 95th percentile, milliseconds"
      filter    = "metric.type=\"run.googleapis.com/request_latencies\" AND ${local.of_soda}"
      aligner   = "ALIGN_PERCENTILE_95", reducer = "REDUCE_MAX", group_by = []
      threshold = 10000, duration = "900s"
    }
    old-messages = {
      title     = "Messages wait: age of the oldest, seconds"
      filter    = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND ${local.of_queues}"
      aligner   = "ALIGN_MAX", reducer = "REDUCE_MAX", group_by = ["resource.labels.subscription_id"]
      threshold = 900, duration = "0s"
    }
    server-errors = {
      title     = "Requests fail: answers of 5xx a second"
      filter    = "metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\" AND ${local.of_soda}"
      aligner   = "ALIGN_RATE", reducer = "REDUCE_SUM", group_by = []
      threshold = 0.1, duration = "300s"
    }
    spending = {
      title     = "Much is paid for: instances, on average"
      filter    = "metric.type=\"run.googleapis.com/container/billable_instance_time\" AND resource.type=\"cloud_run_revision\""
      aligner   = "ALIGN_RATE", reducer = "REDUCE_SUM", group_by = []
      threshold = sum([for s in values(var.scaling) : max(s.max / 2, s.min)]), duration = "3600s"
    }
    sweep-missing = {
      title     = "Nothing is swept"
      filter    = "${local.of_logs}_swept\""
      aligner   = "ALIGN_DELTA", reducer = "REDUCE_SUM", group_by = []
      threshold = null, duration = "900s"
    }
  }
}

# What the functions tell of their work by OTLP (package telemetry), by the title of its tile.
# Cloud Monitoring keeps their metrics as those of Prometheus, under the names and labels that
# they have there: with dots, so in quotes.
locals {
  told = {
    "Jobs that ended, a minute: by class and phase" = [
      "60 * sum by (\"seltzer.job.class\", \"seltzer.job.phase\") (rate({\"seltzer.jobs.ended\"}[5m]))",
    ]
    "Jobs wait for a worker: 95th percentile, seconds, by class" = [
      "histogram_quantile(0.95, sum by (le, \"seltzer.job.class\") (rate({\"seltzer.queue.wait_bucket\"}[5m])))",
    ]
    "Bytes a second: read of archives, and delivered as results" = [
      "sum(rate({\"seltzer.archive.read\"}[5m]))",
      "sum(rate({\"seltzer.results.delivered\"}[5m]))",
    ]
    "Headers of images that were known: share of those that were asked for" = [
      "sum(rate({\"seltzer.index.lookups\", \"seltzer.index.known\"=\"true\"}[5m])) / sum(rate({\"seltzer.index.lookups\"}[5m]))",
    ]
    "Steps of the work: 95th percentile, seconds" = [
      "histogram_quantile(0.95, sum by (le, \"seltzer.stage\") (rate({\"seltzer.stage.duration_bucket\"}[5m])))",
    ]
  }
}

resource "google_logging_metric" "counted" {
  for_each = local.counted

  name        = "seltzer_${each.key}"
  description = each.value.description
  filter      = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"cutout\" OR \"cutout-bulk\") AND ${each.value.filter}"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
  label_extractors = each.value.labels

  depends_on = [google_project_service.api]
}

resource "google_monitoring_uptime_check_config" "available" {
  for_each = toset(local.open ? [local.public_host] : [])

  display_name = "Seltzer ${var.environment}"
  period       = "300s"
  timeout      = "30s"

  http_check {
    path         = "/availability"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }
  content_matchers {
    content = "available>true<"
  }
  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project_id, host = each.key }
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.notification_emails)

  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "watched" {
  for_each = local.watched

  display_name          = each.value.title
  combiner              = "OR"
  notification_channels = [for c in google_monitoring_notification_channel.email : c.id]

  conditions {
    display_name = each.value.title

    dynamic "condition_threshold" {
      for_each = each.value.threshold == null ? [] : [each.value]
      iterator = watched
      content {
        filter          = watched.value.filter
        comparison      = "COMPARISON_GT"
        threshold_value = watched.value.threshold
        duration        = watched.value.duration
        aggregations {
          alignment_period     = local.five_minute
          per_series_aligner   = watched.value.aligner
          cross_series_reducer = watched.value.reducer
          group_by_fields      = watched.value.group_by
        }
      }
    }
    dynamic "condition_absent" {
      for_each = each.value.threshold == null ? [each.value] : []
      iterator = watched
      content {
        filter   = watched.value.filter
        duration = watched.value.duration
        aggregations {
          alignment_period     = local.five_minute
          per_series_aligner   = watched.value.aligner
          cross_series_reducer = watched.value.reducer
          group_by_fields      = watched.value.group_by
        }
      }
    }
  }

  # Who is woken has the runbook in the message.
  documentation {
    mime_type = "text/markdown"
    subject   = "${var.environment}: ${each.value.title}"
    content   = file("${path.module}/runbooks/${each.key}.md")
  }

  depends_on = [google_logging_metric.counted]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "Seltzer ${var.environment}"
    gridLayout = {
      columns = "2"
      widgets = concat([for name in sort(keys(local.watched)) : {
        title = local.watched[name].title
        xyChart = {
          dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter = local.watched[name].filter
                aggregation = {
                  alignmentPeriod    = local.five_minute
                  perSeriesAligner   = local.watched[name].aligner
                  crossSeriesReducer = local.watched[name].reducer
                  groupByFields      = local.watched[name].group_by
                }
              }
            }
          }]
        }
        }], [for title in sort(keys(local.told)) : {
        title = title
        xyChart = {
          dataSets = [for query in local.told[title] : { plotType = "LINE", timeSeriesQuery = { prometheusQuery = query } }]
        }
      }])
    }
  })

  depends_on = [google_logging_metric.counted]
}
