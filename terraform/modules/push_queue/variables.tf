variable "ack_seconds" {
  description = "How long Pub/Sub waits for an answer; it covers the slowest request of the function."
  type        = number

  validation {
    condition     = var.ack_seconds >= 10 && var.ack_seconds <= 600
    error_message = "ack_seconds is 10 to 600."
  }
}

variable "agent" {
  description = "Pub/Sub's service agent of the project, as an IAM member."
  type        = string
}

variable "checked" {
  description = "Whether the publishers look whether the topic is there."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the topic and of its subscription; NAME-dead are those of its dead letters."
  type        = string
}

variable "path" {
  description = "Path below url that takes the messages."
  type        = string
  default     = ""
}

variable "publishers" {
  description = "Who may publish, as IAM members by a name."
  type        = map(string)
}

variable "push_account" {
  description = "E-mail address of the account that pushes carry the token of."
  type        = string
}

variable "url" {
  description = "URL of the function that takes messages at /PATH and dead letters at /dead-letter; also the audience of the tokens."
  type        = string
}
