# The accounts that run, each with a key and no more rights than these. WRITE and READ bring DESCRIBE with them; an idempotent
# producer needs nothing else. Transactions, of which `pump` makes one for each tenth of a second, are named after its group.

locals {
  rights = {
    producer = [
      { type = "TOPIC", name = "purchases", operation = "WRITE" },
    ]
    encryptor = [
      { type = "TOPIC", name = "purchases", operation = "READ" },
      { type = "GROUP", name = local.groups["encryptor"], operation = "READ" },
      { type = "TOPIC", name = "purchases_encrypted", operation = "WRITE" },
      { type = "TOPIC", name = "purchases_large_encrypted", operation = "WRITE" },
      { type = "TRANSACTIONAL_ID", name = "${local.groups["encryptor"]}.", operation = "WRITE" },
    ]
    consumer = [
      { type = "TOPIC", name = "purchases_encrypted", operation = "READ" },
      { type = "TOPIC", name = "purchases_large_encrypted", operation = "READ" },
      { type = "GROUP", name = local.groups["consumer"], operation = "READ" },
    ]
  }
  groups = { for account in ["producer", "encryptor", "consumer"] : account => "${var.name}-${account}" }

  acls = merge([
    for account, list in local.rights : {
      for right in list : "${account} ${right.operation} ${right.type} ${right.name}" => merge(right, { account = account })
    }
  ]...)

  # account: file
  files = { producer = "producer.ini", encryptor = "getting_started.ini", consumer = "consumer.ini" }
}

resource "confluent_service_account" "account" {
  for_each     = local.rights
  display_name = "${var.name}-${each.key}"
  description  = "sealstream: ${each.key}"
}

resource "confluent_api_key" "account" {
  for_each     = local.rights
  display_name = "${var.name}-${each.key}"
  description  = "sealstream: ${each.key}"

  owner {
    id          = confluent_service_account.account[each.key].id
    api_version = confluent_service_account.account[each.key].api_version
    kind        = confluent_service_account.account[each.key].kind
  }

  managed_resource {
    id          = confluent_kafka_cluster.this.id
    api_version = confluent_kafka_cluster.this.api_version
    kind        = confluent_kafka_cluster.this.kind

    environment {
      id = confluent_environment.this.id
    }
  }
}

resource "confluent_kafka_acl" "acl" {
  for_each      = local.acls
  resource_type = each.value.type
  resource_name = each.value.name
  pattern_type  = each.value.type == "TRANSACTIONAL_ID" ? "PREFIXED" : "LITERAL"
  principal     = "User:${confluent_service_account.account[each.value.account].id}"
  host          = "*"
  operation     = each.value.operation
  permission    = "ALLOW"
  rest_endpoint = confluent_kafka_cluster.this.rest_endpoint

  kafka_cluster {
    id = confluent_kafka_cluster.this.id
  }

  credentials {
    key    = confluent_api_key.admin.id
    secret = confluent_api_key.admin.secret
  }
}

resource "local_sensitive_file" "settings" {
  for_each        = local.files
  filename        = "${var.folder}/${each.value}"
  file_permission = "0600"
  content = templatefile("${path.module}/settings.ini.tftpl", {
    account  = each.key
    servers  = replace(confluent_kafka_cluster.this.bootstrap_endpoint, "SASL_SSL://", "")
    key      = confluent_api_key.account[each.key].id
    secret   = confluent_api_key.account[each.key].secret
    group    = local.groups[each.key]
    consumes = each.key != "producer"
  })
}
