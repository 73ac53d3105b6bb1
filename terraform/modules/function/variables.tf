variable "build_account" {
  description = "Service account that builds the function, by its full name projects/…/serviceAccounts/…."
  type        = string
}

variable "entry_point" {
  description = "Name under which the source registers the function; the function's own by default."
  type        = string
  default     = null
}

variable "environment" {
  description = "Environment variables, but for the audience and whether callers are checked, which the module knows."
  type        = map(string)
}

variable "ingress" {
  description = "From where the function is reached: ALLOW_ALL, ALLOW_INTERNAL_ONLY or ALLOW_INTERNAL_AND_GCLB."
  type        = string
}

variable "invokers" {
  description = "Who may call the function, as IAM members by a name."
  type        = map(string)
}

variable "name" {
  description = "Name of the function and of its Cloud Run service."
  type        = string
}

variable "package" {
  description = "Zip of the source."
  type = object({
    bucket = string
    object = string
  })
}

variable "public" {
  description = "Whether everybody may call the function."
  type        = bool
  default     = false
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "runtime" {
  description = "Runtime, such as go126."
  type        = string
}

variable "scaling" {
  description = "Instances at least and at most, CPUs and MiB of each, and requests that one takes together."
  type = object({
    min        = number
    max        = number
    cpu        = number
    memory_mib = number
    requests   = number
  })
}

variable "service_account" {
  description = "E-mail address of the account that the function runs as."
  type        = string
}

variable "timeout_seconds" {
  description = "The longest that one request may take."
  type        = number

  validation {
    condition     = var.timeout_seconds <= 540
    error_message = "timeout_seconds is 540 at most."
  }
}

variable "url" {
  description = "URL of the function, by Cloud Run's rule https://NAME-PROJECT_NUMBER.REGION.run.app."
  type        = string
}
