variable "archives" {
  description = <<-EOT
    Archives of images, by the name that their IDs carry: ivo://AUTHORITY/NAME?path is the object URL/path.
    url is gs://BUCKET or gs://BUCKET/FOLDER, or https:// of a public server. grant says whether the
    functions get the right to read the bucket here; false for a public bucket, or one whose owner grants it.
    groups are those whose members alone see the archive; none makes it public to all who may ask.
    notify has the bucket tell of new and deleted objects, so that what is held of it stays fresh: it must be
    a bucket whose notifications may be managed here.
  EOT
  type = map(object({
    url    = string
    grant  = optional(bool, true)
    notify = optional(bool, false)
    groups = optional(list(string), [])
  }))

  validation {
    condition     = length(var.archives) >= 1
    error_message = "archives is empty: name at least one, such as { dr1 = { url = \"gs://example-dr1\" } }."
  }
  validation {
    condition     = alltrue([for name in keys(var.archives) : can(regex("^[A-Za-z0-9._-]+$", name))])
    error_message = "A name in archives holds more than letters, digits, dot, underscore and hyphen."
  }
  validation {
    condition     = alltrue([for a in values(var.archives) : can(regex("^(gs://[a-z0-9][a-z0-9._-]+[a-z0-9]|https://[^/?#, ]+)(/[^?#, ]*)?$", a.url))])
    error_message = "A url in archives is none of gs://BUCKET, gs://BUCKET/FOLDER and https://HOST/FOLDER, without commas."
  }
  validation {
    condition     = alltrue([for g in flatten([for a in values(var.archives) : a.groups]) : can(regex("^[^, ]([^,]*[^, ])?$", g))])
    error_message = "A group in archives is empty, holds a comma, or has blanks around it."
  }
  validation {
    condition     = alltrue([for a in values(var.archives) : startswith(a.url, "gs://") if a.notify])
    error_message = "An archive with notify is no bucket gs://BUCKET: nobody else tells of its objects."
  }
}

variable "auth" {
  description = <<-EOT
    Who may ask, once a request has reached soda: mode none is public, header believes the
    header X-Auth-Request-User of a proxy that runs as proxy_account and is then soda's only caller,
    iap believes the assertions of Identity-Aware Proxy for audience (/projects/NUMBER/global/backendServices/ID,
    the output iap_audience), oidc the tokens that issuer signed for audience. The claims of iap and oidc that
    name the user and their groups are email and hd, or sub and groups, unless user_claim and groups_claim say otherwise.
  EOT
  type = object({
    mode          = optional(string, "none")
    proxy_account = optional(string)
    issuer        = optional(string)
    audience      = optional(string)
    user_claim    = optional(string)
    groups_claim  = optional(string)
  })
  default = {}

  validation {
    condition     = contains(["none", "header", "iap", "oidc"], var.auth.mode)
    error_message = "auth.mode is none, header, iap or oidc."
  }
  validation {
    condition     = (var.auth.mode == "header") == (var.auth.proxy_account != null)
    error_message = "auth.proxy_account is the e-mail address of the proxy's service account in mode header, and is left out in others."
  }
  validation {
    condition     = (var.auth.mode == "oidc") == (var.auth.issuer != null) && (var.auth.issuer == null ? true : can(regex("^https://[^?# ]+$", var.auth.issuer)))
    error_message = "auth.issuer is the https URL of who signs users' tokens in mode oidc, and is left out in others."
  }
  validation {
    condition     = contains(["iap", "oidc"], var.auth.mode) == (var.auth.audience != null)
    error_message = "auth.audience is whom users' tokens are for in modes oidc and iap (there first apply without, and take the output iap_audience), and is left out in others."
  }
}

variable "authority" {
  description = "Authority of the archives' IDs, as registered with the IVOA, such as example.org."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._~-]{2,}$", var.authority))
    error_message = "authority is 3 or more letters, digits, dots, hyphens, underscores and tildes, without a scheme or a path, such as example.org."
  }
}

variable "batch_orders" {
  description = <<-EOT
    Who may publish orders of batches to the topic batch, as IAM members, and whose batches are that bring
    their rows in the message itself; null refuses those. An order may name the manifest of any owner.
  EOT
  type = object({
    publishers = optional(set(string), [])
    rows_owner = optional(string)
  })
  default = {}

  validation {
    condition     = alltrue([for m in var.batch_orders.publishers : can(regex("^(user|group|serviceAccount):[^:@ ]+@[^@ ]+$", m))])
    error_message = "A publisher in batch_orders is not one such as serviceAccount:survey@example.iam.gserviceaccount.com."
  }
  validation {
    condition     = var.batch_orders.rows_owner == null ? true : can(regex("^[A-Za-z0-9_~@:+=.-]+$", var.batch_orders.rows_owner))
    error_message = "The rows_owner in batch_orders is empty, or holds more than letters, digits and _ ~ @ : + = . -."
  }
}

variable "batch_writers" {
  description = <<-EOT
    Who may drop manifests of batches for an owner: IAM members by the owner's name, which is the name by
    which requests of theirs are known. The bucket PROJECT-batch takes them under owners/OWNER/.
  EOT
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue([for owner in keys(var.batch_writers) : can(regex("^[A-Za-z0-9_~@:+=.-]+$", owner)) && !contains([".", "..", "anonymous"], owner)])
    error_message = "An owner in batch_writers holds more than letters, digits and _ ~ @ : + = . -, or is anonymous."
  }
}

variable "budget" {
  description = "Monthly budget of the project, in units of the billing account's currency; null for none. It warns, it stops nothing."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string, "USD")
  })
  default = null

  validation {
    condition     = var.budget == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account)) && var.budget.amount >= 1
    error_message = "budget.billing_account looks like 012345-6789AB-CDEF01, and budget.amount is 1 or more."
  }
}

variable "cors_origins" {
  description = "Origins whose pages may read results from the bucket. A browser that is redirected there sends the origin null, so anything but * shuts such pages out; a result's URL is itself its credential."
  type        = list(string)
  default     = ["*"]

  validation {
    condition     = length(var.cors_origins) > 0 && alltrue([for o in var.cors_origins : can(regex("^(\\*|https://[^/* ]+)$", o))])
    error_message = "Each of cors_origins is * or an https origin without a path, such as https://portal.example.org."
  }
}

variable "cutout_timeout_seconds" {
  description = "The longest that one cutout may take, all told. The work itself gets 30 seconds less, Pub/Sub waits 60 seconds more."
  type        = number
  default     = 540

  validation {
    condition     = var.cutout_timeout_seconds >= 60 && var.cutout_timeout_seconds <= 540
    error_message = "cutout_timeout_seconds is 60 to 540: Pub/Sub waits 600 seconds at most."
  }
}

variable "edge" {
  description = <<-EOT
    A load balancer before soda, under a domain of yours; null for none, which leaves soda on its own URL.
    iap_members are let in by Identity-Aware Proxy, which stands in front if there are any.
    requests_per_minute is what one address may ask before it is answered 429.
  EOT
  type = object({
    domain              = string
    iap_members         = optional(list(string), [])
    requests_per_minute = optional(number, 600)
  })
  default = null

  validation {
    condition     = var.edge == null ? true : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.edge.domain))
    error_message = "edge.domain is a host name such as soda.example.org."
  }
  validation {
    condition     = var.edge == null ? true : var.edge.requests_per_minute >= 10 && var.edge.requests_per_minute <= 100000
    error_message = "edge.requests_per_minute is 10 to 100000."
  }
  validation {
    condition     = var.edge == null ? true : alltrue([for m in var.edge.iap_members : can(regex("^(user|group|serviceAccount|domain):[^ ]+$", m))])
    error_message = "Each of edge.iap_members is user:…, group:…, serviceAccount:… or domain:…."
  }
}

variable "environment" {
  description = "dev, stage or prod. prod keeps every function warm and cannot be destroyed by accident."
  type        = string

  validation {
    condition     = contains(["dev", "stage", "prod"], var.environment)
    error_message = "environment is dev, stage or prod."
  }
}

variable "force_destroy" {
  description = "Whether terraform destroy may take the database and full buckets with it. One flag for all, refused in prod."
  type        = bool
  default     = false

  validation {
    condition     = !(var.force_destroy && var.environment == "prod")
    error_message = "force_destroy is refused in prod: results and jobs would go without a way back."
  }
}

variable "invokers" {
  description = "Who may reach soda where it is not public, as IAM members. Nobody by default."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for m in var.invokers : can(regex("^(user|group|serviceAccount|domain):[^ ]+$", m))])
    error_message = "Each of invokers is user:…, group:…, serviceAccount:… or domain:…; for everybody set public."
  }
}

variable "notification_emails" {
  description = "Who is told of alerts and of the budget."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for e in var.notification_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", e))])
    error_message = "Each of notification_emails is an e-mail address."
  }
  validation {
    condition     = var.environment != "prod" || length(var.notification_emails) > 0
    error_message = "prod wants at least one of notification_emails: alerts that reach nobody are none."
  }
}

variable "packages" {
  description = "Zips of the functions' sources, as scripts/package writes them."
  type = object({
    soda   = optional(string, "../dist/soda.zip")
    cutout = optional(string, "../dist/cutout.zip")
    signer = optional(string, "../dist/signer.zip")
  })
  default = {}
}

variable "project_id" {
  description = "Google Cloud project of this environment, and of nothing else."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "project_number" {
  description = "Number of the project: gcloud projects describe PROJECT_ID --format 'value(projectNumber)'. The functions' URLs carry it."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{6,}$", var.project_number))
    error_message = "project_number is the project's number, digits alone; not its id."
  }
}

variable "public" {
  description = "Whether everybody may reach soda."
  type        = bool
  default     = false

  validation {
    condition     = !(var.public && var.auth.mode == "header")
    error_message = "public is refused in auth.mode header: then only the proxy may reach soda, or anybody could say who he is."
  }
  validation {
    condition     = var.public || var.auth.mode != "oidc"
    error_message = "public is wanted in auth.mode oidc: Google would take users' tokens for its own, and refuse them."
  }
}

variable "quota" {
  description = <<-EOT
    How much one owner may ask; 0 stands for any number. jobs and rows (cutouts of these) are those
    that have not ended, gib_a_day is of results in 24 hours, requests_a_minute is of one user or
    address to one instance of soda. All who do not log in are one owner, who may have ten times
    as much. From backlog interactive jobs of all owners on, sync requests are sent to /async.
  EOT
  type = object({
    jobs              = optional(number, 200)
    rows              = optional(number, 1000000)
    gib_a_day         = optional(number, 200)
    requests_a_minute = optional(number, 3000)
    backlog           = optional(number, 500)
  })
  default = {}

  validation {
    condition     = alltrue([for n in values(var.quota) : n >= 0 && n <= 1000000000 && floor(n) == n])
    error_message = "In quota each is a whole number, 0 (no limit) to 1000000000."
  }
}

variable "region" {
  description = "Region of everything; that of the archives' buckets, or reading them costs money and time."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is one such as us-central1."
  }
}

variable "results_retention_days" {
  description = "Days after which a result is deleted, whatever its job says; jobs live 7 days unless their owners say otherwise, and 30 at most."
  type        = number
  default     = 30

  validation {
    condition     = var.results_retention_days >= 1 && var.results_retention_days <= 365 && floor(var.results_retention_days) == var.results_retention_days
    error_message = "results_retention_days is a whole number of days from 1 to 365: an age of 0 would delete everything at once."
  }
}

variable "runtime" {
  description = "Runtime of the functions."
  type        = string
  default     = "go126"

  validation {
    condition     = can(regex("^go1(2[6-9]|[3-9][0-9])$", var.runtime))
    error_message = "runtime is go126 or later: go.mod wants Go 1.26."
  }
}

variable "scaling" {
  description = <<-EOT
    How many instances each function has at least and at most, and their size; bulk is the second
    deployment of cutout. Each request at once needs no instance of its own: requests is what one
    instance takes together.
  EOT
  type = object({
    soda = optional(object({
      min = optional(number, 0), max = optional(number, 20), cpu = optional(number, 1), memory_mib = optional(number, 1024)
    }), {})
    cutout = optional(object({
      min = optional(number, 1), max = optional(number, 40), cpu = optional(number, 2), memory_mib = optional(number, 2048), requests = optional(number, 8)
    }), {})
    bulk = optional(object({
      min = optional(number, 0), max = optional(number, 20), cpu = optional(number, 2), memory_mib = optional(number, 2048), requests = optional(number, 4)
    }), {})
    signer = optional(object({
      min = optional(number, 0), max = optional(number, 10), cpu = optional(number, 1), memory_mib = optional(number, 512)
    }), {})
  })
  default = {}

  validation {
    condition     = alltrue([for s in values(var.scaling) : s.min >= 0 && s.max >= 1 && s.min <= s.max && s.max <= 1000])
    error_message = "In scaling min is 0 or more, max is 1 to 1000, and min is not above max."
  }
  validation {
    condition     = alltrue([for s in values(var.scaling) : contains([1, 2, 4, 8], s.cpu) && s.memory_mib >= 512 && s.memory_mib <= 32768])
    error_message = "In scaling cpu is 1, 2, 4 or 8 (an instance that takes several requests needs a whole one), and memory_mib is 512 to 32768."
  }
  validation {
    condition     = var.scaling.cutout.min >= 1
    error_message = "scaling.cutout.min is 1 or more: somebody waits for its cutouts."
  }
  validation {
    condition     = var.environment != "prod" || min(var.scaling.soda.min, var.scaling.cutout.min, var.scaling.signer.min) >= 1
    error_message = "In prod scaling.soda.min, cutout.min and signer.min are 1 or more: a sync request is as cold as its coldest function."
  }
}

variable "sync_wait_seconds" {
  description = "How long a sync request waits for its cutout before it is told to use async."
  type        = number
  default     = 50

  validation {
    condition     = var.sync_wait_seconds >= 5 && var.sync_wait_seconds <= 500
    error_message = "sync_wait_seconds is 5 to 500."
  }
}

variable "trace_ratio" {
  description = "Share of requests that are traced, 0 to 1. A request that is traced may be answered a little later."
  type        = number
  default     = 0.01

  validation {
    condition     = var.trace_ratio >= 0 && var.trace_ratio <= 1
    error_message = "trace_ratio is 0 to 1."
  }
}

variable "version_name" {
  description = "What provenance cards call this version of Seltzer; scripts/deploy sets it from git."
  type        = string
  default     = "devel"

  validation {
    condition     = can(regex("^[A-Za-z0-9._+-]{1,60}$", var.version_name))
    error_message = "version_name is 1 to 60 letters, digits, dots, underscores, plus signs and hyphens: it stands in FITS cards."
  }
}
