locals {
  # What every function reads; what each reads besides stands with it.
  environment = {
    SELTZER_PROJECT           = var.project_id
    SELTZER_DATABASE          = google_firestore_database.jobs.name
    SELTZER_WATCH_CONNECTIONS = tostring(local.watch_connections)
    SELTZER_REGION            = var.region
    SELTZER_TELEMETRY_URL     = "https://telemetry.googleapis.com"
    SELTZER_TRACE_RATIO       = tostring(var.trace_ratio)
  }
  # of soda and cutout
  work_environment = merge(local.environment, {
    SELTZER_TOPIC_INTERACTIVE = "interactive"
    SELTZER_TOPIC_BULK        = "bulk"
    SELTZER_ARCHIVES          = join(",", local.archives)
    SELTZER_AUTHORITY         = var.authority
    SELTZER_BATCH_BUCKET      = google_storage_bucket.batch.name
    SELTZER_MAX_EXECUTION     = "${var.cutout_timeout_seconds - 30}s"

    SELTZER_QUOTA_JOBS     = tostring(var.quota.jobs)
    SELTZER_QUOTA_ROWS     = tostring(var.quota.rows)
    SELTZER_QUOTA_BYTES    = tostring(var.quota.gib_a_day * pow(1024, 3))
    SELTZER_QUOTA_REQUESTS = tostring(var.quota.requests_a_minute)
    SELTZER_QUOTA_BACKLOG  = tostring(var.quota.backlog)
  }, length(local.groups) == 0 ? {} : { SELTZER_GROUPS = join(",", local.groups) })
  # How soda knows who asks.
  auth_environment = merge({ SELTZER_AUTH = var.auth.mode }, { for name, value in {
    SELTZER_PROXY_ACCOUNT = var.auth.proxy_account
    SELTZER_ISSUER        = var.auth.issuer
    SELTZER_USER_AUDIENCE = var.auth.audience
    SELTZER_USER_CLAIM    = var.auth.user_claim
    SELTZER_GROUPS_CLAIM  = var.auth.groups_claim
  } : name => value if value != null })
  cutout_environment = merge(local.work_environment, {
    SELTZER_RESULTS_BUCKET  = google_storage_bucket.results.name
    SELTZER_PUSH_ACCOUNT    = google_service_account.account["push"].email
    SELTZER_SWEEP_ACCOUNT   = google_service_account.account["scheduler"].email
    SELTZER_TOPIC_JOB_ENDED = google_pubsub_topic.job_ended.name
    SELTZER_MAX_CUTOUT      = tostring(16 * pow(1024, 3))
    SELTZER_VERSION         = var.version_name # of no other function: a new version would deploy it, too
  }, var.batch_orders.rows_owner == null ? {} : { SELTZER_BATCH_OWNER = var.batch_orders.rows_owner })

  watch_connections = 4
  watchers          = 80 # that one connection carries

  source = { for name, object in local.objects : name => { bucket = google_storage_bucket.source.name, object = google_storage_bucket_object.package[object].name } }
}

module "soda" {
  source = "./modules/function"

  name            = "soda"
  url             = local.url.soda
  region          = var.region
  runtime         = var.runtime
  package         = local.source.soda
  build_account   = google_service_account.account["build"].name
  service_account = google_service_account.account["soda"].email
  public          = var.public
  invokers = merge(
    { for m in var.invokers : m => m },
    var.auth.proxy_account == null ? {} : { proxy = "serviceAccount:${var.auth.proxy_account}" },
    local.iap ? { iap = local.iap_agent } : {},
  )
  ingress         = var.edge == null ? "ALLOW_ALL" : "ALLOW_INTERNAL_AND_GCLB"
  scaling         = merge(var.scaling.soda, { requests = local.watch_connections * local.watchers })
  timeout_seconds = max(var.sync_wait_seconds, 20) + 10 # WAIT blocks for 20 s
  environment = merge(local.work_environment, local.auth_environment, {
    SELTZER_PUBLIC_URL     = local.public_url
    SELTZER_SIGNER_URL     = module.signer.url
    SELTZER_SYNC_WAIT      = "${var.sync_wait_seconds}s"
    SELTZER_FORWARDED_HOPS = var.edge == null ? "1" : "2" # a load balancer writes its own address behind the client's
  })

  depends_on = [google_project_iam_member.build, google_project_iam_member.firestore, google_storage_bucket_iam_member.archive]
}

module "cutout" {
  source = "./modules/function"

  for_each = { cutout = var.scaling.cutout, cutout-bulk = var.scaling.bulk }

  name            = each.key
  entry_point     = "cutout"
  url             = local.url[each.key]
  region          = var.region
  runtime         = var.runtime
  package         = local.source.cutout
  build_account   = google_service_account.account["build"].name
  service_account = google_service_account.account["cutout"].email
  invokers = merge(
    { push = google_service_account.account["push"].member },
    each.key == "cutout" ? { scheduler = google_service_account.account["scheduler"].member } : {},
  )
  ingress         = "ALLOW_INTERNAL_ONLY"
  scaling         = each.value
  timeout_seconds = var.cutout_timeout_seconds
  environment = merge(local.cutout_environment, {
    SELTZER_MEMORY = tostring(each.value.memory_mib * pow(1024, 2) / 2) # the rest is for headers, tables and the program
  })

  depends_on = [google_project_iam_member.build, google_project_iam_member.firestore, google_storage_bucket_iam_member.archive, google_storage_bucket_iam_member.results]
}

module "signer" {
  source = "./modules/function"

  name            = "signer"
  url             = local.url.signer
  region          = var.region
  runtime         = var.runtime
  package         = local.source.signer
  build_account   = google_service_account.account["build"].name
  service_account = google_service_account.account["signer"].email
  invokers        = { soda = google_service_account.account["soda"].member }
  ingress         = "ALLOW_ALL" # one function's call of another is not internal without a VPC; the invoker is the lock
  scaling         = merge(var.scaling.signer, { requests = 80 })
  timeout_seconds = 30
  environment = merge(local.environment, {
    SELTZER_RESULTS_BUCKET  = google_storage_bucket.results.name
    SELTZER_SIGNING_ACCOUNT = google_service_account.account["signer"].email
    SELTZER_SODA_ACCOUNT    = google_service_account.account["soda"].email
  })

  depends_on = [google_project_iam_member.build, google_project_iam_member.firestore, google_service_account_iam_member.signer, google_storage_bucket_iam_member.results]
}
