# A load balancer before soda, under the operator's domain: Cloud Armor slows down who asks
# too much, and Identity-Aware Proxy lets in whom it shall.
locals {
  edge = var.edge == null ? {} : { this = var.edge }
  iap  = var.edge == null ? false : length(var.edge.iap_members) > 0
  # It calls soda for those that it lets in.
  iap_agent = "serviceAccount:service-${var.project_number}@gcp-sa-iap.iam.gserviceaccount.com"
}

resource "google_compute_global_address" "edge" {
  for_each = local.edge

  name       = "soda"
  depends_on = [google_project_service.api]
}

resource "google_compute_region_network_endpoint_group" "edge" {
  for_each = local.edge

  name                  = "soda"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = "soda"
  }

  depends_on = [module.soda]
}

resource "google_compute_security_policy" "edge" {
  for_each = local.edge

  name = "soda"

  rule {
    action   = "throttle"
    priority = 1000
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = each.value.requests_per_minute
        interval_sec = 60
      }
    }
  }
  rule {
    action   = "allow"
    priority = 2147483647
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_compute_backend_service" "edge" {
  for_each = local.edge

  name                  = "soda"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.edge[each.key].id

  backend {
    group = google_compute_region_network_endpoint_group.edge[each.key].id
  }
  iap {
    enabled = local.iap
  }
  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_managed_ssl_certificate" "edge" {
  for_each = local.edge

  name = "soda-${replace(each.value.domain, ".", "-")}"
  managed {
    domains = [each.value.domain]
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.api]
}

resource "google_compute_url_map" "edge" {
  for_each = local.edge

  name            = "soda"
  default_service = google_compute_backend_service.edge[each.key].id
}

resource "google_compute_target_https_proxy" "edge" {
  for_each = local.edge

  name             = "soda"
  url_map          = google_compute_url_map.edge[each.key].id
  ssl_certificates = [google_compute_managed_ssl_certificate.edge[each.key].id]
}

resource "google_compute_global_forwarding_rule" "edge" {
  for_each = local.edge

  name                  = "soda"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.edge[each.key].id
  port_range            = "443"
  target                = google_compute_target_https_proxy.edge[each.key].id
}

resource "google_iap_web_backend_service_iam_member" "edge" {
  for_each = toset(local.iap ? var.edge.iap_members : [])

  web_backend_service = google_compute_backend_service.edge["this"].name
  role                = "roles/iap.httpsResourceAccessor"
  member              = each.key
}
