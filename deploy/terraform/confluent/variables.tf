variable "name" {
  description = "Name of the environment, and beginning of the names of cluster, accounts and keys."
  type        = string
  default     = "sealstream"
}

variable "cloud" {
  description = "AWS, AZURE or GCP."
  type        = string
  default     = "AWS"

  validation {
    condition     = contains(["AWS", "AZURE", "GCP"], var.cloud)
    error_message = "Give AWS, AZURE or GCP."
  }
}

variable "region" {
  description = "Region of the cloud."
  type        = string
  default     = "eu-central-1"
}

variable "availability" {
  description = "SINGLE_ZONE or MULTI_ZONE."
  type        = string
  default     = "SINGLE_ZONE"
}

variable "partitions" {
  description = "Partitions of each topic. Source and target need the same number, so that records keep their partition."
  type        = number
  default     = 6
}

variable "max_message_bytes" {
  description = "Largest record. Protected records are larger than plain ones; a Basic cluster takes 8 MiB at most."
  type        = number
  default     = 2097164
}

variable "folder" {
  description = "Where getting_started.ini, producer.ini and consumer.ini are written, readable by their owner alone."
  type        = string
  default     = "."
}
