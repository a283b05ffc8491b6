terraform {
  required_version = ">= 1.3"

  required_providers {
    confluent = {
      source  = "confluentinc/confluent"
      version = ">= 1.51"
    }
    local = {
      source  = "hashicorp/local"
      version = ">= 2.2"
    }
  }
}

# Reads CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET from the environment.
provider "confluent" {}
