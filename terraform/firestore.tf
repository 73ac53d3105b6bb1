locals {
  # The stores' own lists of what their queries need.
  index_lists = [for store in ["jobstore/firestorejobs", "holdings/firestoreholdings"] : jsondecode(file("${path.module}/../pkg/${store}/indexes.json"))]
  indexes = {
    indexes        = flatten(local.index_lists[*].indexes)
    fieldOverrides = flatten(local.index_lists[*].fieldOverrides)
  }
}

resource "google_firestore_database" "jobs" {
  name                              = "seltzer"
  location_id                       = var.region
  type                              = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = var.force_destroy ? "POINT_IN_TIME_RECOVERY_DISABLED" : "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = var.force_destroy ? "DELETE_PROTECTION_DISABLED" : "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = var.force_destroy ? "DELETE" : "PREVENT"

  depends_on = [google_project_service.api]
}

resource "google_firestore_index" "query" {
  for_each = { for i in local.indexes.indexes : join(" ", concat([i.collectionGroup], [for f in i.fields : f.fieldPath])) => i }

  database    = google_firestore_database.jobs.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.fieldPath
      order      = fields.value.order
    }
  }
}

# Fields without an index of their own: one that grows with time would make all writes meet
# at one place, and long texts would be cut into thousands of entries. Of arrays that are
# searched each element is in one index.
resource "google_firestore_field" "exempt" {
  for_each = { for f in local.indexes.fieldOverrides : "${f.collectionGroup} ${f.fieldPath}" => f }

  database   = google_firestore_database.jobs.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        array_config = indexes.value.arrayConfig
        query_scope  = indexes.value.queryScope
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []
    content {}
  }
}
