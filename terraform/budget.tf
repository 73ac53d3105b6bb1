resource "google_billing_budget" "month" {
  for_each = var.budget == null ? {} : { this = var.budget }

  billing_account = each.value.billing_account
  display_name    = "Seltzer ${var.environment}"

  budget_filter {
    projects = ["projects/${var.project_number}"]
  }
  amount {
    specified_amount {
      currency_code = each.value.currency
      units         = tostring(floor(each.value.amount))
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
    }
  }
  all_updates_rule {
    monitoring_notification_channels = slice([for c in google_monitoring_notification_channel.email : c.id], 0, min(5, length(var.notification_emails)))
    disable_default_iam_recipients   = false
  }

  depends_on = [google_project_service.api]
}
