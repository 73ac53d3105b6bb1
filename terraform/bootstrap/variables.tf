variable "deployers" {
  description = "Who may act as the deployer, as IAM members such as user:ada@example.org; who is not named loses the right."
  type        = list(string)

  validation {
    condition     = alltrue([for m in var.deployers : can(regex("^(user|group|serviceAccount):[^ ]+$", m))])
    error_message = "Each of deployers is user:…, group:… or serviceAccount:…."
  }
}

variable "edge" {
  description = "Whether the deployer gets the rights to make the load balancer."
  type        = bool
  default     = false
}

variable "github_repository" {
  description = "OWNER/NAME of the GitHub repository whose workflows on main may deploy; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null ? true : can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "github_repository is OWNER/NAME."
  }
}

variable "project_id" {
  description = "Google Cloud project of the environment, which exists and has a billing account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of the state bucket: that of the environment."
  type        = string
  default     = "us-central1"
}
