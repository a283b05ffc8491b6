# A cluster, three topics, and who may do what with them:
#
#   producer ──write──▶ purchases ──read── encryptor ──write──▶ purchases_encrypted       ──read── consumer
#                                              └──────write──▶ purchases_large_encrypted  ──read── consumer
#
# `admin` makes topics and ACLs; nothing that runs has its key.

resource "confluent_environment" "this" {
  display_name = var.name
}

resource "confluent_kafka_cluster" "this" {
  display_name = var.name
  availability = var.availability
  cloud        = var.cloud
  region       = var.region

  basic {}

  environment {
    id = confluent_environment.this.id
  }
}

resource "confluent_service_account" "admin" {
  display_name = "${var.name}-admin"
  description  = "Makes topics and ACLs of ${var.name}"
}

resource "confluent_role_binding" "admin" {
  principal   = "User:${confluent_service_account.admin.id}"
  role_name   = "CloudClusterAdmin"
  crn_pattern = confluent_kafka_cluster.this.rbac_crn
}

resource "confluent_api_key" "admin" {
  display_name = "${var.name}-admin"
  description  = "Terraform's key for ${var.name}"

  owner {
    id          = confluent_service_account.admin.id
    api_version = confluent_service_account.admin.api_version
    kind        = confluent_service_account.admin.kind
  }

  managed_resource {
    id          = confluent_kafka_cluster.this.id
    api_version = confluent_kafka_cluster.this.api_version
    kind        = confluent_kafka_cluster.this.kind

    environment {
      id = confluent_environment.this.id
    }
  }

  depends_on = [confluent_role_binding.admin]
}

resource "confluent_kafka_topic" "topic" {
  for_each         = toset(["purchases", "purchases_encrypted", "purchases_large_encrypted"])
  topic_name       = each.key
  partitions_count = var.partitions
  rest_endpoint    = confluent_kafka_cluster.this.rest_endpoint
  config           = { "max.message.bytes" = tostring(var.max_message_bytes) }

  kafka_cluster {
    id = confluent_kafka_cluster.this.id
  }

  credentials {
    key    = confluent_api_key.admin.id
    secret = confluent_api_key.admin.secret
  }
}
