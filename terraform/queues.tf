locals {
  workers = { for name in ["soda", "cutout"] : name => google_service_account.account[name].member }
  storage = { storage = local.storage_agent }

  # Two classes of job, so that a batch of a million rows cannot starve a person who waits;
  # orders of batches; and, where an archive tells of them, objects that came and went.
  queues = merge(
    {
      interactive = { deployment = "cutout", path = "", publishers = local.workers, checked = true }
      bulk        = { deployment = "cutout-bulk", path = "", publishers = local.workers, checked = true }
      batch       = { deployment = "cutout-bulk", path = "batch", publishers = merge(local.storage, { for m in var.batch_orders.publishers : m => m }), checked = false }
    },
    length(local.notifying) == 0 ? {} : {
      objects = { deployment = "cutout", path = "objects", publishers = local.storage, checked = false }
    },
  )
}

module "queue" {
  source = "./modules/push_queue"

  for_each = local.queues

  name         = each.key
  url          = module.cutout[each.value.deployment].url
  path         = each.value.path
  ack_seconds  = var.cutout_timeout_seconds + 60
  push_account = google_service_account.account["push"].email
  agent        = local.pubsub_agent
  publishers   = each.value.publishers
  checked      = each.value.checked

  depends_on = [google_project_service.api, google_service_account_iam_member.push]
}

resource "google_cloud_scheduler_job" "sweep" {
  name             = "sweep"
  description      = "Looks after every job that is due: wakes workers, deletes what has reached its time."
  region           = var.region
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.cutout_timeout_seconds}s"

  http_target {
    http_method = "POST"
    uri         = "${module.cutout["cutout"].url}/sweep"

    oidc_token {
      service_account_email = google_service_account.account["scheduler"].email
      audience              = module.cutout["cutout"].url
    }
  }
}
