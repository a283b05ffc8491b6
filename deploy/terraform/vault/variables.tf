variable "name" {
  description = "Beginning of the names of all policies and roles."
  type        = string
  default     = "sealstream"
}

variable "transit_mount" {
  description = "Path of the Transit mount."
  type        = string
  default     = "transit"
}

variable "create_transit_mount" {
  description = "False when the mount is there already."
  type        = bool
  default     = true
}

variable "keys" {
  description = "Transit keys by name. A policy file names them vault:MOUNT/NAME. Type and derivation cannot be changed later."
  type = map(object({
    type       = optional(string, "aes256-gcm96")
    convergent = optional(bool, false) # equal values of a field give equal texts
  }))
  default = { pii = {} }

  validation {
    condition     = alltrue([for name in keys(var.keys) : can(regex("^\\w([\\w.-]*\\w)?$", name))])
    error_message = "Names of keys are letters, digits, \"_\", \"-\" and \".\"."
  }
}

variable "keys_deletable" {
  description = "True lets `terraform destroy` delete the keys, and with them all data that they protect."
  type        = bool
  default     = false
}

variable "data_keys" {
  description = "Who protects may ask for data keys, too: for files, and for the method envelope."
  type        = bool
  default     = false
}

variable "transform" {
  description = "Also make the Transform mount and what it needs for payment cards. Vault Enterprise alone has it."
  type        = bool
  default     = false
}

variable "transform_mount" {
  description = "Path of the Transform mount."
  type        = string
  default     = "transform"
}

variable "approle_mount" {
  description = "Path of the AppRole mount."
  type        = string
  default     = "approle"
}

variable "create_approle_mount" {
  description = "False when the mount is there already."
  type        = bool
  default     = true
}

variable "token_ttl" {
  description = "Seconds that a login's token lives; sealstream renews it at two thirds of that."
  type        = number
  default     = 3600
}

variable "token_max_ttl" {
  description = "Seconds after which sealstream must log in anew."
  type        = number
  default     = 86400
}

variable "secret_id_ttl" {
  description = "Seconds that a secret id lives; 0: for ever. A running program logs in with it again and again."
  type        = number
  default     = 7776000 # 90 days
}

variable "bound_cidrs" {
  description = "Networks that may log in and use the tokens; empty: all."
  type        = set(string)
  default     = []
}

variable "issue_secret_ids" {
  description = "Make one secret id for each role. It stands in the state then, which must be kept as a secret; better make them by hand."
  type        = bool
  default     = false
}
