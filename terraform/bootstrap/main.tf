# What a human makes once for an environment, before the first deployment: the bucket that
# keeps Terraform's state, the account that deploys, and the trust in the CI that uses it.
# Its own state stays on the human's machine, in a workspace of each project; all of it can be
# imported again.
terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.0"
    }
  }
}

provider "google" {
  project               = var.project_id
  region                = var.region
  user_project_override = true
  billing_project       = var.project_id
}

locals {
  # What scripts/deploy needs, by what it makes.
  roles = [
    "roles/cloudfunctions.admin", "roles/cloudscheduler.admin", "roles/datastore.owner", "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountTokenCreator", # so that the doctor can try each account's rights
    "roles/iam.serviceAccountUser", "roles/logging.configWriter", "roles/monitoring.editor", "roles/pubsub.admin",
    "roles/resourcemanager.projectIamAdmin", "roles/run.admin", "roles/serviceusage.serviceUsageAdmin", "roles/storage.admin",
  ]
  edge_roles = var.edge ? ["roles/compute.loadBalancerAdmin", "roles/compute.securityAdmin", "roles/iap.admin"] : []
}

resource "google_project_service" "api" {
  for_each = toset(["cloudresourcemanager.googleapis.com", "iam.googleapis.com", "iamcredentials.googleapis.com", "pubsub.googleapis.com", "serviceusage.googleapis.com", "storage.googleapis.com", "sts.googleapis.com"])

  service            = each.key
  disable_on_destroy = false
}

resource "google_storage_bucket" "state" {
  name                        = "${var.project_id}-tfstate"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 50
    }
  }

  lifecycle {
    prevent_destroy = true

    # In another project's state this would be a plan to destroy what stands there.
    precondition {
      condition     = terraform.workspace == var.project_id
      error_message = "Each project has a workspace of its own: terraform workspace select -or-create ${var.project_id}"
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_service_account" "deployer" {
  account_id   = "seltzer-deployer"
  display_name = "Deploys Seltzer"
  depends_on   = [google_project_service.api]
}

resource "google_project_iam_member" "deployer" {
  for_each = toset(concat(local.roles, local.edge_roles))

  project = var.project_id
  role    = each.key
  member  = google_service_account.deployer.member
}

# A repository's workflows act as the deployer without a key.
resource "google_iam_workload_identity_pool" "ci" {
  count = var.github_repository == null ? 0 : 1

  workload_identity_pool_id = "seltzer-ci"
  depends_on                = [google_project_service.api]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  count = var.github_repository == null ? 0 : 1

  workload_identity_pool_id          = google_iam_workload_identity_pool.ci[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  attribute_mapping                  = { "google.subject" = "assertion.sub", "attribute.repository" = "assertion.repository" }
  attribute_condition                = "assertion.repository == \"${var.github_repository}\" && assertion.ref == \"refs/heads/main\""

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "ci" {
  count = var.github_repository == null ? 0 : 1

  service_account_id = google_service_account.deployer.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.ci[0].name}/attribute.repository/${var.github_repository}"
}

# Humans who may deploy act as the deployer too.
resource "google_service_account_iam_member" "human" {
  for_each = toset(var.deployers)

  service_account_id = google_service_account.deployer.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
}
